// The inner loops of matmul.h, one table per instruction set.
#pragma once

#include <cstddef>

namespace kinglet::convert {

inline constexpr size_t kTileRows = 8, kTileColumns = 32;

struct MatmulKernels {
  // out[8][32] = Σ_j a[j][8] ⊗ b[j][32], j < k.
  void (*multiply_tile)(const float* a, const float* b, size_t k, float* out);
  double (*dot)(const double* a, const double* b, size_t count);
  void (*add_scaled)(double factor, const double* x, size_t count, double* y);
};

const MatmulKernels& matmul_any();
#if defined(__x86_64__)
const MatmulKernels& matmul_avx2();
const MatmulKernels& matmul_avx512();
#endif

}  // namespace kinglet::convert
