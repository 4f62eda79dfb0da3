// fp32 matrix products for the host: blocked, packed, on the widest vectors that the processor has. Every element of a
// result is a sum in the order of k, with separate multiplication and addition, so that all processors compute the
// same.
#pragma once

#include <cstddef>
#include <vector>

namespace kinglet::convert {

// Element (i, j) is data[i·row + j·column].
struct MatrixView {
  const float* data;
  size_t row, column;
  MatrixView transposed() const { return {data, column, row}; }
};

// The right-hand side of a product, [k][n], in the order in which it is read: [n/32][k][32].
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(MatrixView b, size_t k, size_t n);
  size_t k() const { return k_; }
  size_t n() const { return n_; }
  const float* panel(size_t column) const { return &panels_[column * k_]; }  // `column`: a multiple of 32

 private:
  size_t k_ = 0, n_ = 0;
  std::vector<float> panels_;
};

// c[m][n] = a[m][k]·b, or += where `add`. Rows of c are `stride` apart. Thread-safe for different c.
void multiply(MatrixView a, size_t m, const PackedMatrix& b, float* c, size_t stride, bool add = false);

// The upper triangle of aᵀ·a for rows a[k][n] is added to sums[n][n]; the rest of it is left alone. `threads` share the
// work; the result does not depend on their number.
void add_gram(const float* a, size_t k, size_t n, double* sums, size_t threads);

// sums[m][n] += aᵀ·b for rows a[k][m] and b[k][n].
void add_cross(const float* a, size_t m, const float* b, size_t n, size_t k, double* sums, size_t threads);

// Σ a·b over 32 lanes and a fixed tree.
double dot(const double* a, const double* b, size_t count);
// y += factor·x.
void add_scaled(double factor, const double* x, size_t count, double* y);

}  // namespace kinglet::convert
