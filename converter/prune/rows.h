// Norms and pools of rows, for both directions.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

inline constexpr float kLeastLength = 1e-12f;  // of a vector that is normalised

// Every row of `rows` becomes norm(row). `tensors` are the model's numbers by id.
void normalize_rows(const Norm& norm, const std::vector<std::vector<float>>& tensors, size_t width,
                    std::vector<float>& rows);
// Adds the gradient of norm(in) to that of `in`.
void normalize_backward(const Norm& norm, const std::vector<std::vector<float>>& tensors, size_t width,
                        const std::vector<float>& in, const std::vector<float>& out_gradient,
                        std::vector<float>& gradient);

// What a sum over `count` rows is multiplied by.
inline float pool_factor(fmt::PoolKind kind, size_t count) {
  switch (kind) {
    case fmt::PoolKind::mean:
      return 1 / static_cast<float>(count);
    case fmt::PoolKind::mean_sqrt_length:
      return 1 / std::sqrt(static_cast<float>(count));
    default:
      return 1;
  }
}

inline float length_of(const float* x, size_t count) {
  double sum = 0;
  for (size_t i = 0; i < count; ++i) {
    sum += static_cast<double>(x[i]) * x[i];
  }
  return static_cast<float>(std::sqrt(sum));
}

}  // namespace kinglet::convert
