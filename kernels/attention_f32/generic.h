// One head of fp32 attention on vectors.
#pragma once

#include "elementwise/generic.h"
#include "gemm_f32/generic.h"

namespace kinglet::kernels {
namespace {

void attention_f32(const AttentionF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    const float* q = args.q + i * args.q_stride;
    float* out = args.out + i * args.out_stride;
    float* scores = args.scratch;
    size_t key = 0;
    for (; key + kColumnsAtOnce <= args.n; key += kColumnsAtOnce) {
      dot_rows<kColumnsAtOnce>(q, args.k + key * args.k_stride, args.k_stride, args.dimension, scores + key);
    }
    for (; key < args.n; ++key) {
      dot_rows<1>(q, args.k + key * args.k_stride, args.k_stride, args.dimension, scores + key);
    }

    Floats<32> maxima = set<32>(scores[0] * args.multiplier);
    const Floats<32> first = maxima;
    for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      const Floats<32> s = load<32>(scores + j, count) * set<32>(args.multiplier);
      store(scores + j, s, count);
      maxima = max_of(maxima, keep_or(s, first, count));
    });
    const Floats<32> maximum = set<32>(largest(maxima));
    Floats<32> sums = set<32>(0.0f);
    for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      const Floats<32> e = keep(exp2_negative(load<32>(scores + j, count) - maximum), count);
      store(scores + j, e, count);
      sums = sums + e;
    });
    const Floats<32> inverse = set<32>(1.0f / total(sums));

    for_blocks<32>(args.dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
      Floats<32> weighted = set<32>(0.0f);
      for (size_t j = 0; j < args.n; ++j) {
        weighted = weighted + set<32>(scores[j]) * load<32>(args.v + j * args.v_stride + d, count);
      }
      store(out + d, weighted * inverse, count);
    });
  }
}

}  // namespace
}  // namespace kinglet::kernels
