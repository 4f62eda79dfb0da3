// Scores to 8-bit probabilities, scalar reference (formula: kernels.h).
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {

void softmax_quantize(const SoftmaxQuantize& args) {
  const size_t row_bytes = round_up(args.n, 8);
  for (size_t i = 0; i < args.m; ++i) {
    const float* scores = args.scores + i * args.stride;
    int8_t* p = static_cast<int8_t*>(args.p) + i * row_bytes;
    float largest = scores[0];
    for (size_t j = 1; j < args.n; ++j) {
      largest = max_of(largest, scores[j]);
    }
    int32_t sum = 0;
    std::memset(p, -128, row_bytes);
    for (size_t j = 0; j < args.n; ++j) {
      const int32_t value = round_to_int(fast_exp2_255(scores[j] - largest));
      p[j] = static_cast<int8_t>(value - 128);
      sum += value;
    }
    args.inverse_sum[i] = 1.0f / static_cast<float>(sum);
  }
}

}  // namespace kinglet::kernels::reference
