// fp32 matrix product on vectors: a few columns at a time, each a sum over 32 virtual lanes.
#pragma once

#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

// Columns whose sums fit the registers.
constexpr size_t kColumnsAtOnce = kNativeBytes == 16 ? 2 : 4;

// out[c] = a · w[c] for `count` rows of w, at most kColumnsAtOnce; rows that are not there are the last one again.
KINGLET_INLINE void dot_rows(const float* a, const float* w, size_t w_stride, size_t count, size_t k, float* out) {
  const float* rows[kColumnsAtOnce];
  Floats<32> sums[kColumnsAtOnce];
#pragma GCC unroll 4
  for (size_t c = 0; c < kColumnsAtOnce; ++c) {
    rows[c] = w + (c < count ? c : count - 1) * w_stride;
    sums[c] = set<32>(0.0f);
  }
  for_blocks<32>(k, [&](size_t j, auto lanes) KINGLET_INLINE_LAMBDA {
    const Floats<32> values = load<32>(a + j, lanes);
#pragma GCC unroll 4
    for (size_t c = 0; c < kColumnsAtOnce; ++c) {
      sums[c] = sums[c] + values * load<32>(rows[c] + j, lanes);
    }
  });
  for (size_t c = 0; c < kColumnsAtOnce; ++c) {
    const float dot = total(sums[c]);
    if (c < count) {
      out[c] = dot;
    }
  }
}

void gemm_f32(const GemmF32& args) {
  size_t j = 0;
  for (; j < args.n; j += kColumnsAtOnce) {
    const size_t columns = args.n - j < kColumnsAtOnce ? args.n - j : kColumnsAtOnce;
    const float* w = args.w + j * args.k;
    for (size_t i = 0; i < args.m; ++i) {
      const float* a = args.a + i * args.a_stride;
      float dots[kColumnsAtOnce];
      dot_rows(a, w, args.k, columns, args.k, dots);
      float* out = args.out + i * args.out_stride + j;
      for (size_t c = 0; c < columns; ++c) {
        out[c] = args.bias != nullptr ? dots[c] + args.bias[j + c] : dots[c];
      }
    }
  }
  for (size_t i = 0; i < args.m; ++i) {
    for (j = args.n; j < round_up(args.n, 16); ++j) {
      args.out[i * args.out_stride + j] = 0.0f;
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels
