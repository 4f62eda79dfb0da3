// One head of one text: attention in fp32 and its gradient.
#pragma once

#include <cstddef>
#include <vector>

namespace kinglet::convert {

// Rows of a head: `count` tokens of `size` numbers, rows `stride` apart.
struct HeadRows {
  const float *query, *key, *value;
  size_t count, size, stride;
  float scale;  // of the scores, which are exponents of 2
};

// What is added to the score of query i and key j: row[clamp(j − i, ±reach) + reach]; row null: nothing.
struct DistanceBias {
  const float* row = nullptr;
  size_t reach = 0;
};

// out = softmax₂(scale·q·kᵀ + bias)·v; `out` has the stride of `rows`. probabilities: [count][count].
void attend(const HeadRows& rows, DistanceBias bias, std::vector<float>& probabilities, float* out);

// Adds the gradients of q, k and v, whose rows are `rows.stride` apart, given that of `out`.
void attend_backward(const HeadRows& rows, const float* probabilities, const float* out_gradient, float* query_gradient,
                     float* key_gradient, float* value_gradient);

}  // namespace kinglet::convert
