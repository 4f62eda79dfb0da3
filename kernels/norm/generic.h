// Residual sum with norm, and the Euclidean norm of a row, on vectors.
#pragma once

#include "elementwise/functions.h"
#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

// kRowsAtOnce rows from row `first` on, side by side: a row's sums alone are two or four chains of dependent additions.
// Rows that are not there are the last one again, which is why all of a block is read before any of it is written: x and
// out may be the same.
KINGLET_INLINE void add_norm_rows(const AddNorm& args, size_t first) {
  constexpr int kRows = kRowsAtOnce;
  const bool layer = args.weight != nullptr && !args.affine;
  const float *x[kRows], *residual[kRows];
  float* out[kRows];
  Floats<32> sums[kRows];
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    const size_t row = first + r < args.m ? first + r : args.m - 1;
    x[r] = args.x + row * args.x_stride;
    residual[r] = args.residual != nullptr ? args.residual + row * args.residual_stride : nullptr;
    out[r] = args.out + row * args.out_stride;
    sums[r] = set<32>(0.0f);
  }
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    Floats<32> v[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      v[r] = load<32>(x[r] + j, count);
      if (args.residual != nullptr) {
        v[r] = v[r] + load<32>(residual[r] + j, count);
      }
      sums[r] = sums[r] + v[r];
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      store_padded(out[r] + j, v[r], count);
    }
  });
  if (args.weight == nullptr) {
    return;
  }

  Floats<32> means[kRows] = {}, inverses[kRows] = {};
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
        const Floats<32> d = load<32>(out[r] + j, count) - means[r];
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
    Floats<32> v[kRows];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      v[r] = load<32>(out[r] + j, count);
      if (layer) {
        v[r] = (v[r] - means[r]) * inverses[r];
      }
      v[r] = v[r] * weight;
      v[r] = args.bias != nullptr ? v[r] + bias : v[r];
    }
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
      store_padded(out[r] + j, v[r], count);
    }
  });
}

void add_norm(const AddNorm& args) {
  for (size_t i = 0; i < args.m; i += kRowsAtOnce) {
    add_norm_rows(args, i);
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
