// Activation functions and their slopes.
#include "prune/activation.h"

#include <cmath>
#include <numbers>

namespace kinglet::convert {

namespace {

constexpr float kTanhScale = 0.7978845608f, kTanhCube = 0.044715f;  // of gelu_tanh: √(2/π)

float sigmoid(float x) {
  return 1 / (1 + std::exp(-x));
}

float normal_share(float x) {  // of the standard normal distribution, below x
  return 0.5f * (1 + std::erf(x * static_cast<float>(std::numbers::sqrt2 / 2)));
}

float normal_density(float x) {
  return std::exp(-0.5f * x * x) * static_cast<float>(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
}

float gelu_tanh_slope(float x) {
  const float t = std::tanh(kTanhScale * (x + kTanhCube * x * x * x));
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * kTanhScale * (1 + 3 * kTanhCube * x * x);
}

}  // namespace

float activate(fmt::Activation kind, float x) {
  switch (kind) {
    case fmt::Activation::gelu:
      return x * normal_share(x);
    case fmt::Activation::gelu_tanh:
      return 0.5f * x * (1 + std::tanh(kTanhScale * (x + kTanhCube * x * x * x)));
    case fmt::Activation::relu:
      return x > 0 ? x : 0;
    case fmt::Activation::silu:
      return x * sigmoid(x);
    case fmt::Activation::tanh:
      return std::tanh(x);
    case fmt::Activation::sigmoid:
      return sigmoid(x);
    case fmt::Activation::none:
      break;
  }
  return x;
}

float activation_slope(fmt::Activation kind, float x) {
  switch (kind) {
    case fmt::Activation::gelu:
      return normal_share(x) + x * normal_density(x);
    case fmt::Activation::gelu_tanh:
      return gelu_tanh_slope(x);
    case fmt::Activation::relu:
      return x > 0 ? 1 : 0;
    case fmt::Activation::silu:
      return sigmoid(x) * (1 + x * (1 - sigmoid(x)));
    case fmt::Activation::tanh: {
      const float t = std::tanh(x);
      return 1 - t * t;
    }
    case fmt::Activation::sigmoid:
      return sigmoid(x) * (1 - sigmoid(x));
    case fmt::Activation::none:
      break;
  }
  return 1;
}

}  // namespace kinglet::convert
