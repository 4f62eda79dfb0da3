// Activation functions and products, scalar reference.
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {
namespace {

template <typename Function>
void apply(const Activate& args, Function function) {
  for (size_t i = 0; i < args.m; ++i) {
    for (size_t j = 0; j < args.n; ++j) {
      args.x[i * args.stride + j] = function(args.x[i * args.stride + j]);
    }
  }
}

}  // namespace

void activate(const Activate& args) {
  switch (args.function) {
    case ActivationFunction::none:
      break;
    case ActivationFunction::gelu:
      if (args.fast) {
        apply(args, fast_gelu);
      } else {
        apply(args, gelu);
      }
      break;
    case ActivationFunction::gelu_tanh:
      apply(args, gelu_tanh);
      break;
    case ActivationFunction::relu:
      apply(args, [](float x) { return max_of(x, 0.0f); });
      break;
    case ActivationFunction::silu:
      apply(args, silu);
      break;
    case ActivationFunction::tanh:
      apply(args, hyperbolic_tangent);
      break;
    case ActivationFunction::sigmoid:
      apply(args, sigmoid);
      break;
  }
}

void multiply(const Multiply& args) {
  for (size_t i = 0; i < args.m; ++i) {
    float* a = args.a + i * args.a_stride;
    const float* b = args.b + i * args.b_stride;
    for (size_t j = 0; j < args.n; ++j) {
      a[j] *= b[j];
    }
    for (size_t j = args.n; j < round_up(args.n, 16); ++j) {
      a[j] = 0.0f;
    }
  }
}

}  // namespace kinglet::kernels::reference
