// The fp32 softmax of a row on vectors, without its division.
#pragma once

#include "elementwise/generic.h"

namespace kinglet::kernels {
namespace {

// scores[j] = 2^(scores[j]·multiplier − largest), in place; returns 1/Σ.
[[gnu::noinline]] float powers_of_scores(float* scores, size_t n, float multiplier) {
  const Floats<32> first = set<32>(scores[0] * multiplier);
  Floats<32> maxima = first;
  for_blocks<32>(n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> s = load<32>(scores + j, count) * set<32>(multiplier);
    store(scores + j, s, count);
    maxima = max_of(maxima, keep_or(s, first, count));
  });
  const Floats<32> maximum = set<32>(largest(maxima));
  Floats<32> sums = set<32>(0.0f);
  for_blocks<32>(n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> e = keep(exp2_negative(load<32>(scores + j, count) - maximum), count);
    store(scores + j, e, count);
    sums = sums + e;
  });
  return 1.0f / total(sums);
}

}  // namespace
}  // namespace kinglet::kernels
