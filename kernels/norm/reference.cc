// Residual sum with norm, and the Euclidean norm of a row, scalar reference.
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {

void add_norm(const AddNorm& args) {
  const float inverse_n = 1.0f / static_cast<float>(args.n);
  for (size_t i = 0; i < args.m; ++i) {
    const float* x = args.x + i * args.x_stride;
    const float* residual = args.residual != nullptr ? args.residual + i * args.residual_stride : nullptr;
    float* out = args.out + i * args.out_stride;
    LaneSum sum;
    for (size_t j = 0; j < args.n; ++j) {
      out[j] = residual != nullptr ? x[j] + residual[j] : x[j];
      sum.add(j, out[j]);
    }
    for (size_t j = args.n; j < round_up(args.n, 16); ++j) {
      out[j] = 0.0f;
    }
    if (args.weight == nullptr) {
      continue;
    }
    float mean = 0.0f;
    float inverse = 1.0f;
    if (!args.affine) {
      mean = sum.total() * inverse_n;
      LaneSum squares;
      for (size_t j = 0; j < args.n; ++j) {
        squares.add(j, (out[j] - mean) * (out[j] - mean));
      }
      inverse = 1.0f / __builtin_sqrtf(squares.total() * inverse_n + args.epsilon);
    }
    for (size_t j = 0; j < args.n; ++j) {
      const float normed = (args.affine ? out[j] : (out[j] - mean) * inverse) * args.weight[j];
      out[j] = args.bias != nullptr ? normed + args.bias[j] : normed;
    }
  }
}

void normalize_row(const NormalizeRow& args) {
  LaneSum squares;
  for (size_t j = 0; j < args.n; ++j) {
    squares.add(j, args.x[j] * args.x[j]);
  }
  const float inverse = 1.0f / max_of(__builtin_sqrtf(squares.total()), 1e-12f);
  for (size_t j = 0; j < args.n; ++j) {
    args.out[j] = args.x[j] * inverse;
  }
  for (size_t j = args.n; j < round_up(args.n, 16); ++j) {
    args.out[j] = 0.0f;
  }
}

}  // namespace kinglet::kernels::reference
