// One head of fp32 attention on vectors.
#pragma once

#include "attention_f32/powers.h"
#include "gemm_f32/generic.h"

namespace kinglet::kernels {
namespace {

void attention_f32(const AttentionF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    const float* q = args.q + i * args.q_stride;
    float* out = args.out + i * args.out_stride;
    float* scores = args.scratch;
    for (size_t key = 0; key < args.n; key += kColumnsAtOnce) {
      const size_t keys = args.n - key < kColumnsAtOnce ? args.n - key : kColumnsAtOnce;
      dot_rows(q, args.k + key * args.k_stride, args.k_stride, keys, args.dimension, scores + key);
    }
    const Floats<32> inverse = set<32>(powers_of_scores(scores, args.n, args.multiplier));

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
