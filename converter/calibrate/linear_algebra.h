// The little linear algebra that calibration needs, on the kernels' fp32 product: the same bits on every processor and
// for any number of threads.
#pragma once

#include <cstddef>
#include <vector>

namespace kinglet::convert {

// Row-major, rows one after the other.
struct Grid {
  size_t rows = 0, columns = 0;
  std::vector<float> data;

  Grid() = default;
  Grid(size_t row_count, size_t column_count)
      : rows(row_count), columns(column_count), data(row_count * column_count) {}
  float* row(size_t i) { return data.data() + i * columns; }
  const float* row(size_t i) const { return data.data() + i * columns; }
};

// a[m][k] · b[n][k]ᵀ = [m][n].
Grid product(const Grid& a, const Grid& b);

// a + Σ_k x[k]·y[k]ᵀ for columns: adds the product xᵀ·y of [count][n] and [count][m] rows to `sum` [n][m].
void add_outer(const float* x, size_t n, const float* y, size_t m, size_t count, Grid* sum);

// A symmetric positive definite h = r·rᵀ with r upper triangular; the rest of r is 0. `columns_of_r` is rᵀ.
struct UpperFactor {
  Grid r, columns_of_r;
};
// False when h is not positive definite.
bool factor_upper(const Grid& h, UpperFactor* out);

// Solves z·h = y for every row of y, in place.
void solve_rows(const UpperFactor& factor, Grid* y);

// a[0]·b[0] + … in a fixed order that vectorises.
float dot(const float* a, const float* b, size_t count);

}  // namespace kinglet::convert
