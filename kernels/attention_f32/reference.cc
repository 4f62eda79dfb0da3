// One head of fp32 attention, scalar reference (formula: kernels.h).
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {

void attention_f32(const AttentionF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    const float* q = args.q + i * args.q_stride;
    float* out = args.out + i * args.out_stride;
    float largest = 0.0f;
    for (size_t j = 0; j < args.n; ++j) {
      const float* key = args.k + j * args.k_stride;
      LaneSum dot;
      for (size_t d = 0; d < args.dimension; ++d) {
        dot.add(d, q[d] * key[d]);
      }
      args.scratch[j] = dot.total() * args.multiplier;
      largest = j == 0 ? args.scratch[j] : max_of(largest, args.scratch[j]);
    }
    LaneSum sum;
    for (size_t j = 0; j < args.n; ++j) {
      args.scratch[j] = exp2_negative(args.scratch[j] - largest);
      sum.add(j, args.scratch[j]);
    }
    const float inverse = 1.0f / sum.total();
    for (size_t d = 0; d < args.dimension; ++d) {
      float weighted = 0.0f;
      for (size_t j = 0; j < args.n; ++j) {
        weighted += args.scratch[j] * args.v[j * args.v_stride + d];
      }
      out[d] = weighted * inverse;
    }
  }
}

}  // namespace kinglet::kernels::reference
