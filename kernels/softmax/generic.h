// Scores to 8-bit probabilities on vectors (formula: kernels.h).
#pragma once

#include "elementwise/generic.h"
#include "quantize/generic.h"

namespace kinglet::kernels {
namespace {

template <ActivationLayout kLayout, int kRows>
KINGLET_INLINE void softmax_rows(const SoftmaxQuantize& args, size_t row) {
  const float* scores = args.scores + row * args.stride;
  unsigned char* p[kRows];

  Floats<32> maxima[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    maxima[r] = set<32>(scores[r * args.stride]);
    p[r] = activation_row<kLayout>(args.p, args.n, row + r);
  }
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      maxima[r] = max_of(maxima[r], keep_or(load<32>(scores + r * args.stride + j, count), maxima[r], count));
    }
  });
  Ints<32> sums[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    maxima[r] = set<32>(largest(maxima[r]));
    sums[r] = set_int<32>(0);
  }
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const Floats<32> e = fast_exp2_255(load<32>(scores + r * args.stride + j, count) - maxima[r]);
      // P, with −128 in the lanes that do not exist.
      const Ints<32> values =
          keep(bits_of(e + set<32>(kRound)) - set_int<32>(kRoundBits), count) - set_int<32>(128);
      sums[r] = sums[r] + values;
      store_activations<kLayout>(p[r], j, values, count);
    }
  });
  const auto lanes = static_cast<int32_t>(round_up(args.n, 32));
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    args.inverse_sum[row + r] = 1.0f / static_cast<float>(total(sums[r]) + 128 * lanes);
  }
}

template <ActivationLayout kLayout>
void softmax_quantize(const SoftmaxQuantize& args) {
  size_t i = 0;
  for (; i + kRowsAtOnce <= args.m; i += kRowsAtOnce) {
    softmax_rows<kLayout, kRowsAtOnce>(args, i);
  }
  for (; i < args.m; ++i) {
    softmax_rows<kLayout, 1>(args, i);
  }
  clear_missing_rows<kLayout>(args.p, args.m, args.n);
}

}  // namespace
}  // namespace kinglet::kernels
