#include "fp32/xnnpack.h"

#if KINGLET_WITH_XNNPACK
#include <pthreadpool.h>
#include <xnnpack.h>

#include <limits>
#endif

namespace kinglet {

#if KINGLET_WITH_XNNPACK

bool XnnpackOperators::available() { return true; }

XnnpackOperators::~XnnpackOperators() {
  for (void* op : operators_) {
    if (op != nullptr) {
      xnn_delete_operator(static_cast<xnn_operator_t>(op));
    }
  }
  if (threads_ != nullptr) {
    pthreadpool_destroy(static_cast<pthreadpool_t>(threads_));
  }
}

kinglet_status XnnpackOperators::start(uint32_t count, uint32_t threads, Error& error) {
  if (xnn_initialize(nullptr) != xnn_status_success) {
    return fail(error, KINGLET_UNSUPPORTED, "XNNPACK does not run on this processor");
  }
  if (!operators_.allocate(count)) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory for %u XNNPACK operators", count);
  }
  if (threads > 1) {
    threads_ = pthreadpool_create(threads);
    if (threads_ == nullptr) {
      return fail(error, KINGLET_OUT_OF_MEMORY, "XNNPACK could not start %u threads", threads);
    }
  }
  return KINGLET_OK;
}

kinglet_status XnnpackOperators::prepare(uint32_t index, const float* w, const float* bias, uint32_t n, uint32_t k,
                                         size_t in_stride, size_t out_stride, Error& error) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  xnn_operator_t op = nullptr;
  const xnn_status status =
      xnn_create_fully_connected_nc_f32(k, n, in_stride, out_stride, w, bias, -kInfinity, kInfinity, 0, &op);
  if (status != xnn_status_success) {
    return fail(error, status == xnn_status_out_of_memory ? KINGLET_OUT_OF_MEMORY : KINGLET_UNSUPPORTED,
                "XNNPACK could not prepare a matrix of %u by %u (status %d)", n, k, static_cast<int>(status));
  }
  operators_[index] = op;
  packed_bytes_ += size_t{n} * k * sizeof(float);
  return KINGLET_OK;
}

bool XnnpackOperators::run(uint32_t index, const float* in, size_t m, float* out) {
  const auto op = static_cast<xnn_operator_t>(operators_[index]);
  const auto threads = static_cast<pthreadpool_t>(threads_);
  return xnn_setup_fully_connected_nc_f32(op, m, in, out, threads) == xnn_status_success &&
         xnn_run_operator(op, threads) == xnn_status_success;
}

#else

bool XnnpackOperators::available() { return false; }
XnnpackOperators::~XnnpackOperators() = default;
kinglet_status XnnpackOperators::start(uint32_t, uint32_t, Error& error) {
  return fail(error, KINGLET_UNSUPPORTED, "built without XNNPACK");
}
kinglet_status XnnpackOperators::prepare(uint32_t, const float*, const float*, uint32_t, uint32_t, size_t, size_t,
                                         Error& error) {
  return fail(error, KINGLET_UNSUPPORTED, "built without XNNPACK");
}
bool XnnpackOperators::run(uint32_t, const float*, size_t, float*) { return false; }

#endif

}  // namespace kinglet
