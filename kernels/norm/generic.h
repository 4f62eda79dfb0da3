// Residual sum with norm, and the Euclidean norm of a row, on vectors.
#pragma once

#include "elementwise/functions.h"
#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

// kRows rows from row `first` on, side by side: a row's sums alone are two or four chains of dependent additions.
template <int kRows>
KINGLET_INLINE void add_norm_rows(const AddNorm& args, size_t first) {
  const float* x = args.x + first * args.x_stride;
  const float* residual = args.residual != nullptr ? args.residual + first * args.residual_stride : nullptr;
  float* out = args.out + first * args.out_stride;
  const bool layer = args.weight != nullptr && !args.affine;

  Floats<32> sums[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    sums[r] = set<32>(0.0f);
  }
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      Floats<32> v = load<32>(x + r * args.x_stride + j, count);
      if (residual != nullptr) {
        v = v + load<32>(residual + r * args.residual_stride + j, count);
      }
      sums[r] = sums[r] + v;
      store_padded(out + r * args.out_stride + j, v, count);
    }
  });
  if (args.weight == nullptr) {
    return;
  }

  Floats<32> means[kRows], inverses[kRows];
  if (layer) {
    const float inverse_n = 1.0f / static_cast<float>(args.n);
    Floats<32> squares[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      means[r] = set<32>(total(sums[r]) * inverse_n);
      squares[r] = set<32>(0.0f);
    }
    for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        const Floats<32> d = load<32>(out + r * args.out_stride + j, count) - means[r];
        squares[r] = squares[r] + keep(d * d, count);
      }
    });
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      inverses[r] = set<32>(1.0f / __builtin_sqrtf(total(squares[r]) * inverse_n + args.epsilon));
    }
  }
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> weight = load<32>(args.weight + j, count);
    const Floats<32> bias = args.bias != nullptr ? load<32>(args.bias + j, count) : weight;
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      Floats<32> v = load<32>(out + r * args.out_stride + j, count);
      if (layer) {
        v = (v - means[r]) * inverses[r];
      }
      v = v * weight;
      store_padded(out + r * args.out_stride + j, args.bias != nullptr ? v + bias : v, count);
    }
  });
}

void add_norm(const AddNorm& args) {
  size_t i = 0;
  for (; i + kRowsAtOnce <= args.m; i += kRowsAtOnce) {
    add_norm_rows<kRowsAtOnce>(args, i);
  }
  for (; i < args.m; ++i) {
    add_norm_rows<1>(args, i);
  }
}

void normalize_row(const NormalizeRow& args) {
  Floats<32> squares = set<32>(0.0f);
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> v = load<32>(args.x + j, count);
    squares = squares + v * v;
  });
  const float inverse = 1.0f / max_of(__builtin_sqrtf(total(squares)), 1e-12f);
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    store_padded(args.out + j, load<32>(args.x + j, count) * set<32>(inverse), count);
  });
}

}  // namespace
}  // namespace kinglet::kernels
