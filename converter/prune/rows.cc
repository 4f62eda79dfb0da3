// Norms of rows, both directions.
#include "prune/rows.h"

namespace kinglet::convert {

namespace {

struct Moments {
  float mean, scale;  // 1/√(variance + ε)
};

Moments moments_of(const float* x, size_t width, float epsilon) {
  float sum = 0, squares = 0;
  for (size_t j = 0; j < width; ++j) {
    sum += x[j];
  }
  const float mean = sum / static_cast<float>(width);
  for (size_t j = 0; j < width; ++j) {
    squares += (x[j] - mean) * (x[j] - mean);
  }
  return {mean, 1 / std::sqrt(squares / static_cast<float>(width) + epsilon)};
}

}  // namespace

void normalize_rows(const Norm& norm, const std::vector<std::vector<float>>& tensors, size_t width,
                    std::vector<float>& rows) {
  const std::vector<float>& weight = tensors[norm.weight];
  const float* bias = norm.bias == kNone ? nullptr : tensors[static_cast<size_t>(norm.bias)].data();
  for (size_t row = 0; row < rows.size(); row += width) {
    float* x = &rows[row];
    const Moments moments = norm.kind == fmt::NormKind::layer ? moments_of(x, width, norm.epsilon) : Moments{0, 1};
    for (size_t j = 0; j < width; ++j) {
      x[j] = (x[j] - moments.mean) * moments.scale * weight[j] + (bias == nullptr ? 0 : bias[j]);
    }
  }
}

// y = (x − m)·s·w: dx = s·(g − mean(g) − x̂·mean(g·x̂)) with g = dy·w and x̂ = (x − m)·s.
void normalize_backward(const Norm& norm, const std::vector<std::vector<float>>& tensors, size_t width,
                        const std::vector<float>& in, const std::vector<float>& out_gradient,
                        std::vector<float>& gradient) {
  const std::vector<float>& weight = tensors[norm.weight];
  for (size_t row = 0; row < in.size(); row += width) {
    const float *x = &in[row], *dy = &out_gradient[row];
    float* dx = &gradient[row];
    if (norm.kind != fmt::NormKind::layer) {
      for (size_t j = 0; j < width; ++j) {
        dx[j] += dy[j] * weight[j];
      }
      continue;
    }
    const Moments moments = moments_of(x, width, norm.epsilon);
    float sum = 0, along = 0;
    for (size_t j = 0; j < width; ++j) {
      sum += dy[j] * weight[j];
      along += dy[j] * weight[j] * (x[j] - moments.mean) * moments.scale;
    }
    const auto count = static_cast<float>(width);
    for (size_t j = 0; j < width; ++j) {
      const float place = (x[j] - moments.mean) * moments.scale;
      dx[j] += moments.scale * (dy[j] * weight[j] - sum / count - place * along / count);
    }
  }
}

}  // namespace kinglet::convert
