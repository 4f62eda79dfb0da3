// The fp32 backend: XNNPACK's fully-connected operator behind one small adapter. Built without XNNPACK, `available` is
// false and fp32 programs run on kernels/gemm_f32.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"

namespace kinglet {

// The operators of one session. XNNPACK packs a copy of the weights into each, and an operator belongs to one thread
// at a time, so a session has its own.
class XnnpackOperators {
 public:
  static bool available();

  XnnpackOperators() = default;
  XnnpackOperators(const XnnpackOperators&) = delete;
  XnnpackOperators& operator=(const XnnpackOperators&) = delete;
  ~XnnpackOperators();

  // Makes room for `count` operators that run on `threads` threads of XNNPACK's own kind.
  kinglet_status start(uint32_t count, uint32_t threads, Error& error);
  // Prepares operator `index`: out = in·Wᵀ + bias with W [n][k] row-major, rows `stride` floats apart. bias: [n] or
  // null.
  kinglet_status prepare(uint32_t index, const float* w, const float* bias, uint32_t n, uint32_t k, size_t in_stride,
                         size_t out_stride, Error& error);
  // Runs it over m rows. False when XNNPACK refuses.
  bool run(uint32_t index, const float* in, size_t m, float* out);
  size_t packed_bytes() const { return packed_bytes_; }

 private:
  Buffer<void*> operators_;
  [[maybe_unused]] void* threads_ = nullptr;  // a pthreadpool_t; unused without XNNPACK
  size_t packed_bytes_ = 0;
};

}  // namespace kinglet
