// Packing and blocking around the inner loops.
#include "prune/matmul.h"

#include <algorithm>

#include "base/parallel.h"
#include "cpu/cpu.h"
#include "prune/matmul_kernels.h"

namespace kinglet::convert {

namespace {

constexpr size_t kDepth = 256;  // of k at a time: a panel's part fits the first-level cache
constexpr size_t kBlockRows = 64;

const MatmulKernels& choose() {
#if defined(__x86_64__)
  if (cpu_supports(kernels::Isa::avx512_vnni)) {
    return matmul_avx512();
  }
  if (cpu_supports(kernels::Isa::avx2)) {
    return matmul_avx2();
  }
#endif
  return matmul_any();
}

const MatmulKernels& kernels() {
  static const MatmulKernels& chosen = choose();
  return chosen;
}

// [rows/8][k][8]; rows beyond the last are 0.
void pack_rows(MatrixView a, size_t rows, size_t k, float* out) {
  for (size_t first = 0; first < rows; first += kTileRows, out += kTileRows * k) {
    for (size_t i = 0; i < kTileRows; ++i) {
      if (first + i >= rows) {
        for (size_t j = 0; j < k; ++j) {
          out[j * kTileRows + i] = 0;
        }
        continue;
      }
      const float* row = a.data + (first + i) * a.row;
      for (size_t j = 0; j < k; ++j) {
        out[j * kTileRows + i] = row[j * a.column];
      }
    }
  }
}

// Rows [0, m) of a·b for columns [begin, end) of b, `begin` a multiple of 32.
template <typename Out>
void multiply_columns(MatrixView a, size_t m, const PackedMatrix& b, size_t begin, size_t end, Out* c, size_t stride,
                      bool add) {
  std::vector<float> rows(kBlockRows * kDepth);
  float tile[kTileRows * kTileColumns];
  for (size_t first = 0; first < m; first += kBlockRows) {
    const size_t count = std::min(kBlockRows, m - first);
    for (size_t depth = 0; depth < b.k(); depth += kDepth) {
      const size_t k = std::min(kDepth, b.k() - depth);
      pack_rows({a.data + first * a.row + depth * a.column, a.row, a.column}, count, k, rows.data());
      for (size_t column = begin; column < end; column += kTileColumns) {
        const size_t width = std::min(kTileColumns, end - column);
        for (size_t row = 0; row < count; row += kTileRows) {
          kernels().multiply_tile(&rows[row * k], b.panel(column) + depth * kTileColumns, k, tile);
          for (size_t i = 0; i < std::min(kTileRows, count - row); ++i) {
            Out* out = c + (first + row + i) * stride + column;
            const float* from = tile + i * kTileColumns;
            if (add || depth > 0) {
              for (size_t j = 0; j < width; ++j) {
                out[j] += from[j];
              }
            } else {
              std::copy_n(from, width, out);
            }
          }
        }
      }
    }
  }
}

}  // namespace

PackedMatrix::PackedMatrix(MatrixView b, size_t k, size_t n)
    : k_(k), n_(n), panels_((n + kTileColumns - 1) / kTileColumns * kTileColumns * k) {
  for (size_t column = 0; column < n; column += kTileColumns) {
    const size_t width = std::min(kTileColumns, n - column);
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < width; ++j) {
        panels_[column * k + i * kTileColumns + j] = b.data[i * b.row + (column + j) * b.column];
      }
    }
  }
}

void multiply(MatrixView a, size_t m, const PackedMatrix& b, float* c, size_t stride, bool add) {
  multiply_columns(a, m, b, 0, b.n(), c, stride, add);
}

void add_gram(const float* a, size_t k, size_t n, double* sums, size_t threads) {
  const PackedMatrix right({a, n, 1}, k, n);
  parallel_for(threads, (n + kBlockRows - 1) / kBlockRows, [&](size_t block) {
    const size_t first = block * kBlockRows;  // a multiple of 32: the columns begin at the diagonal
    multiply_columns({a + first, 1, n}, std::min(kBlockRows, n - first), right, first, n, sums + first * n, n, true);
  });
}

void add_cross(const float* a, size_t m, const float* b, size_t n, size_t k, double* sums, size_t threads) {
  const PackedMatrix right({b, n, 1}, k, n);
  parallel_for(threads, (m + kBlockRows - 1) / kBlockRows, [&](size_t block) {
    const size_t first = block * kBlockRows;
    multiply_columns({a + first, 1, m}, std::min(kBlockRows, m - first), right, 0, n, sums + first * n, n, true);
  });
}

double dot(const double* a, const double* b, size_t count) {
  return kernels().dot(a, b, count);
}

void add_scaled(double factor, const double* x, size_t count, double* y) {
  kernels().add_scaled(factor, x, count, y);
}

}  // namespace kinglet::convert
