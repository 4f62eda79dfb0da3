// Cholesky's factors, a few rows at a time: each row of what is done already is read once for all of them.
#include "prune/cholesky.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "prune/matmul.h"

namespace kinglet::convert {

namespace {

constexpr size_t kBlock = 16;

}  // namespace

void factorize(std::vector<double>& a, size_t n) {
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      a[i * n + j] = a[j * n + i];
    }
  }
  for (size_t first = 0; first < n; first += kBlock) {
    const size_t last = std::min(first + kBlock, n);
    for (size_t j = 0; j < last; ++j) {
      for (size_t i = std::max(first, j); i < last; ++i) {
        const double rest = a[i * n + j] - dot(&a[i * n], &a[j * n], j);
        if (i > j) {
          a[i * n + j] = rest / a[j * n + j];
        } else if (rest > 0) {
          a[i * n + j] = std::sqrt(rest);
        } else {
          refuse("the texts' activations do not determine the weights that are to be reconstructed; expected more",
                 " texts or a larger ridge");
        }
      }
    }
  }
}

void solve(const std::vector<double>& factor, size_t n, std::vector<double>& b, size_t columns) {
  const auto divide = [&](size_t row) {
    for (size_t j = 0; j < columns; ++j) {
      b[row * columns + j] /= factor[row * n + row];
    }
  };
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      add_scaled(-factor[i * n + j], &b[j * columns], columns, &b[i * columns]);
    }
    divide(i);
  }
  for (size_t i = n; i-- > 0;) {
    divide(i);
    for (size_t j = 0; j < i; ++j) {
      add_scaled(-factor[i * n + j], &b[i * columns], columns, &b[j * columns]);
    }
  }
}

std::vector<double> inverse_of(const std::vector<double>& factor, size_t n) {
  std::vector<double> lower(n * n), inverse(n * n);  // L⁻¹, then L⁻ᵀ·L⁻¹
  for (size_t i = 0; i < n; ++i) {
    double* row = &lower[i * n];
    for (size_t j = 0; j < i; ++j) {
      add_scaled(-factor[i * n + j], &lower[j * n], j + 1, row);
    }
    row[i] = 1;
    for (size_t j = 0; j <= i; ++j) {
      row[j] /= factor[i * n + i];
    }
  }
  for (size_t first = 0; first < n; first += kBlock) {
    const size_t last = std::min(first + kBlock, n);
    for (size_t k = first; k < n; ++k) {
      for (size_t i = first; i < std::min(last, k + 1); ++i) {
        add_scaled(lower[k * n + i], &lower[k * n], i + 1, &inverse[i * n]);
      }
    }
  }
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      inverse[j * n + i] = inverse[i * n + j];
    }
  }
  return inverse;
}

}  // namespace kinglet::convert
