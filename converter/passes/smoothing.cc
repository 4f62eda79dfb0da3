// A row of inputs is rounded in steps of its range over 255, so an outlier coarsens the whole row; a row of weights in
// steps of its largest over 127. Dividing channel j by s_j on one side and multiplying on the other moves range between
// them. With w_j and x_j the largest magnitudes of channel j, s_j = x_j^α / w_j^(1−α) for the best of some α.
#include "passes/smoothing.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"

namespace kinglet::convert {

namespace {

constexpr double kStrengths[] = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0};
constexpr double kNoticeable = 0.95;  // of the error without

std::vector<double> largest_of_columns(const Grid& grid) {
  std::vector<double> largest(grid.columns);
  for (size_t i = 0; i < grid.rows; ++i) {
    for (size_t j = 0; j < grid.columns; ++j) {
      largest[j] = std::max<double>(largest[j], std::fabs(grid.row(i)[j]));
    }
  }
  return largest;
}

// The expected squared error of the products, but for a constant: uniform rounding of inputs x·scale and of weights
// w/scale, errors independent.
double expected_error(const Grid& x, const Grid& weight, const std::vector<float>& scale, double weight_share) {
  double input_steps = 0, input_squares = 0;
  for (size_t i = 0; i < x.rows; ++i) {
    float low = 0, high = 0;
    for (size_t j = 0; j < x.columns; ++j) {
      const float value = x.row(i)[j] * scale[j];
      low = std::min(low, value);
      high = std::max(high, value);
      input_squares += static_cast<double>(value) * value;
    }
    const double step = (static_cast<double>(high) - low) / 255;
    input_steps += step * step;
  }
  double weight_steps = 0, weight_squares = 0;
  for (size_t i = 0; i < weight.rows; ++i) {
    float largest = 0;
    for (size_t j = 0; j < weight.columns; ++j) {
      const float value = weight.row(i)[j] / scale[j];
      largest = std::max(largest, std::fabs(value));
      weight_squares += static_cast<double>(value) * value;
    }
    const double step = static_cast<double>(largest) / 127;
    weight_steps += step * step;
  }
  return input_steps * weight_squares + weight_share * weight_steps * input_squares;
}

}  // namespace

std::vector<float> choose_input_scale(const Grid& x, const Grid& weight, double weight_share) {
  const std::vector<double> of_x = largest_of_columns(x), of_w = largest_of_columns(weight);
  std::vector<std::vector<float>> candidates = {std::vector<float>(x.columns, 1.0f)};
  for (const double strength : kStrengths) {
    std::vector<float>& scale = candidates.emplace_back(x.columns, 1.0f);
    for (size_t j = 0; j < x.columns; ++j) {
      if (of_x[j] > 0 && of_w[j] > 0) {
        constexpr double kMost = 1e6;
        scale[j] = static_cast<float>(
            std::clamp(std::pow(of_w[j], 1 - strength) / std::pow(of_x[j], strength), 1 / kMost, kMost));
      }
    }
  }
  std::vector<double> errors(candidates.size());
  parallel_for(candidates.size(),
               [&](size_t i) { errors[i] = expected_error(x, weight, candidates[i], weight_share); });
  const size_t best = static_cast<size_t>(std::min_element(errors.begin(), errors.end()) - errors.begin());
  return errors[best] < kNoticeable * errors[0] ? candidates[best] : std::vector<float>();
}

}  // namespace kinglet::convert
