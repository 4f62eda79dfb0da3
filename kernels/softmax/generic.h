// Scores to 8-bit probabilities on vectors (formula: kernels.h).
#pragma once

#include "elementwise/generic.h"
#include "quantize/generic.h"

namespace kinglet::kernels {
namespace {

// The lanes of x, folded to as many as the tail of for_wide_blocks has.
template <int N, typename Operation>
KINGLET_INLINE auto folded(Floats<N> x, Operation operation) {
  if constexpr (N == kWideTail) {
    return x;
  } else {
    return folded(operation(x.low, x.high), operation);
  }
}
template <int N>
KINGLET_INLINE Ints<kWideTail> folded_sum(Ints<N> x) {
  if constexpr (N == kWideTail) {
    return x;
  } else {
    return folded_sum(x.low + x.high);
  }
}

// kRows rows from `first` on; those that are not there are the last one again.
template <ActivationLayout kLayout>
KINGLET_INLINE void softmax_rows(const SoftmaxQuantize& args, size_t first) {
  constexpr int kRows = kRowsAtOnce;
  constexpr int kTail = kWideTail;
  const auto larger = [](auto a, auto b) KINGLET_INLINE_LAMBDA { return max_of(a, b); };
  const float* scores[kRows];
  unsigned char* p[kRows];
  size_t rows[kRows];

  Floats<kTail> maxima[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    rows[r] = first + r < args.m ? first + r : args.m - 1;
    scores[r] = args.scores + rows[r] * args.stride;
    p[r] = activation_row<kLayout>(args.p, args.n, rows[r]);
    maxima[r] = set<kTail>(scores[r][0]);
  }
  for_wide_blocks(args.n, [&](size_t j, auto lanes, auto count) KINGLET_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::count;
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      const Floats<kLanes> x = load<kLanes>(scores[r] + j, count);
      if constexpr (kLanes == kTail) {
        maxima[r] = max_of(maxima[r], keep_or(x, maxima[r], count));
      } else {
        maxima[r] = max_of(maxima[r], folded(x, larger));
      }
    }
  });
  float largest_of[kRows];
  Ints<kTail> sums[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    largest_of[r] = largest(maxima[r]);
    sums[r] = set_int<kTail>(0);
  }
  const auto quantize = [&](int r, size_t j, auto lanes, auto count) KINGLET_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::count;
    const Floats<kLanes> x = load<kLanes>(scores[r] + j, count) - set<kLanes>(largest_of[r]);
    // P, with −128 in the lanes that do not exist.
    const Ints<kLanes> values = keep(rounded_exp2_255(x), count) - set_int<kLanes>(128);
    sums[r] = sums[r] + folded_sum(values);
    store_activations<kLayout>(p[r], j, values, count);
  };
  if constexpr (kWide > 32) {  // a block has vectors enough: row after row
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      for_wide_blocks(args.n, [&](size_t j, auto lanes, auto count)
                                  KINGLET_INLINE_LAMBDA { quantize(r, j, lanes, count); });
    }
  } else {
    for_wide_blocks(args.n, [&](size_t j, auto lanes, auto count) KINGLET_INLINE_LAMBDA {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        quantize(r, j, lanes, count);
      }
    });
  }
  const auto lanes = static_cast<int32_t>(round_up(args.n, kTail));
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    args.inverse_sum[rows[r]] = 1.0f / static_cast<float>(total(sums[r]) + 128 * lanes);
  }
}

template <ActivationLayout kLayout>
void softmax_quantize(const SoftmaxQuantize& args) {
  for (size_t i = 0; i < args.m; i += kRowsAtOnce) {
    softmax_rows<kLayout>(args, i);
  }
  clear_missing_rows<kLayout>(args.p, args.m, args.n);
}

}  // namespace
}  // namespace kinglet::kernels
