// One head of one text.
#include "prune/attention.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace kinglet::convert {

namespace {

// [size][count] of rows [count][size].
std::vector<float> columns_of(const float* rows, const HeadRows& head) {
  std::vector<float> columns(head.size * head.count);
  for (size_t i = 0; i < head.count; ++i) {
    for (size_t d = 0; d < head.size; ++d) {
      columns[d * head.count + i] = rows[i * head.stride + d];
    }
  }
  return columns;
}

void add_multiple(float factor, const float* x, size_t count, float* y) {
  for (size_t i = 0; i < count; ++i) {
    y[i] += factor * x[i];
  }
}

// to[j] += Σ_d row[d]·columns[d][j].
void add_products(const float* row, const std::vector<float>& columns, const HeadRows& head, float factor, float* to) {
  for (size_t d = 0; d < head.size; ++d) {
    add_multiple(row[d] * factor, &columns[d * head.count], head.count, to);
  }
}

void softmax(float* row, size_t count) {
  const float most = *std::max_element(row, row + count);
  float sum = 0;
  for (size_t j = 0; j < count; ++j) {
    row[j] = std::exp2(row[j] - most);
    sum += row[j];
  }
  for (size_t j = 0; j < count; ++j) {
    row[j] /= sum;
  }
}

}  // namespace

void attend(const HeadRows& rows, DistanceBias bias, std::vector<float>& probabilities, float* out) {
  const std::vector<float> keys = columns_of(rows.key, rows);
  probabilities.assign(rows.count * rows.count, 0);
  for (size_t i = 0; i < rows.count; ++i) {
    float* row = &probabilities[i * rows.count];
    add_products(rows.query + i * rows.stride, keys, rows, rows.scale, row);
    if (bias.row != nullptr) {
      const auto reach = static_cast<std::ptrdiff_t>(bias.reach);
      for (size_t j = 0; j < rows.count; ++j) {
        const auto distance = static_cast<std::ptrdiff_t>(j) - static_cast<std::ptrdiff_t>(i);
        row[j] += bias.row[std::clamp(distance, -reach, reach) + reach];
      }
    }
    softmax(row, rows.count);
    for (size_t j = 0; j < rows.count; ++j) {
      add_multiple(row[j], rows.value + j * rows.stride, rows.size, out + i * rows.stride);
    }
  }
}

void attend_backward(const HeadRows& rows, const float* probabilities, const float* out_gradient, float* query_gradient,
                     float* key_gradient, float* value_gradient) {
  const std::vector<float> values = columns_of(rows.value, rows);
  std::vector<float> slopes(rows.count);
  for (size_t i = 0; i < rows.count; ++i) {
    const float* probability = probabilities + i * rows.count;
    const float* gradient = out_gradient + i * rows.stride;
    std::fill(slopes.begin(), slopes.end(), 0.0f);
    add_products(gradient, values, rows, 1, slopes.data());
    float mean = 0;
    for (size_t j = 0; j < rows.count; ++j) {
      mean += probability[j] * slopes[j];
    }
    for (size_t j = 0; j < rows.count; ++j) {
      add_multiple(probability[j], gradient, rows.size, value_gradient + j * rows.stride);
      const float slope = static_cast<float>(std::numbers::ln2) * rows.scale * probability[j] * (slopes[j] - mean);
      add_multiple(slope, rows.key + j * rows.stride, rows.size, query_gradient + i * rows.stride);
      add_multiple(slope, rows.query + i * rows.stride, rows.size, key_gradient + j * rows.stride);
    }
  }
}

}  // namespace kinglet::convert
