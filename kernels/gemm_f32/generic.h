// fp32 matrix product on vectors: a few columns at a time, each a sum over 32 virtual lanes.
#pragma once

#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

// Columns whose sums fit the registers.
constexpr int kColumnsAtOnce = kNativeBytes == 16 ? 2 : 4;

// out[c] = a · w[c] for kCount rows of w.
template <int kCount>
KINGLET_INLINE void dot_rows(const float* a, const float* w, size_t w_stride, size_t k, float* out) {
  Floats<32> sums[kCount];
#pragma GCC unroll 4
  for (int c = 0; c < kCount; ++c) {
    sums[c] = set<32>(0.0f);
  }
  for_blocks<32>(k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> values = load<32>(a + j, count);
#pragma GCC unroll 4
    for (int c = 0; c < kCount; ++c) {
      sums[c] = sums[c] + values * load<32>(w + c * w_stride + j, count);
    }
  });
#pragma GCC unroll 4
  for (int c = 0; c < kCount; ++c) {
    out[c] = total(sums[c]);
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
      if (columns == kColumnsAtOnce) {
        dot_rows<kColumnsAtOnce>(a, w, args.k, args.k, dots);
      } else {
        for (size_t c = 0; c < columns; ++c) {
          dot_rows<1>(a, w + c * args.k, args.k, args.k, dots + c);
        }
      }
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
