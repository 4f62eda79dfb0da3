// Blocks of rows and columns for the fp32 product kernel.
#include "calibrate/linear_algebra.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/text.h"
#include "cpu/cpu.h"
#include "kernels.h"

namespace kinglet::convert {

namespace {

constexpr size_t kBlock = 48;  // rows of either side; 48 rows of 1536 floats fit the second-level cache

const kernels::Kernels& table() {
  const kernels::Kernels* found = kernels_in_use();
  if (found == nullptr) {
    refuse("KINGLET_ISA names a kernel path that this processor does not have");
  }
  return *found;
}

// out[i][j] = a[i]·b[j] for m × n rows of length k, b's rows one after the other.
void block_product(const float* a, size_t a_stride, size_t m, const float* b, size_t n, size_t k, float* out) {
  table().gemm_f32({.a = a,
                    .a_stride = a_stride,
                    .w = b,
                    .m = m,
                    .n = n,
                    .k = k,
                    .bias = nullptr,
                    .out = out,
                    .out_stride = kBlock});
}

// [count][n] rows turned into [n][count].
std::vector<float> turned(const float* x, size_t n, size_t count) {
  std::vector<float> out(n * count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < n; ++j) {
      out[j * count + i] = x[i * n + j];
    }
  }
  return out;
}

size_t block_count(size_t size) {
  return (size + kBlock - 1) / kBlock;
}

}  // namespace

float dot(const float* a, const float* b, size_t count) {
  constexpr size_t kLanes = 16;
  float sums[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += a[i + lane] * b[i + lane];
    }
  }
  for (; i < count; ++i) {
    sums[i % kLanes] += a[i] * b[i];
  }
  float total = 0;
  for (const float sum : sums) {
    total += sum;
  }
  return total;
}

Grid product(const Grid& a, const Grid& b) {
  Grid out(a.rows, b.rows);
  parallel_for(block_count(a.rows), [&](size_t block) {
    const size_t first = block * kBlock, m = std::min(kBlock, a.rows - first);
    std::vector<float> part(kBlock * kBlock);
    for (size_t column = 0; column < b.rows; column += kBlock) {
      const size_t n = std::min(kBlock, b.rows - column);
      block_product(a.row(first), a.columns, m, b.row(column), n, a.columns, part.data());
      for (size_t i = 0; i < m; ++i) {
        std::copy_n(&part[i * kBlock], n, out.row(first + i) + column);
      }
    }
  });
  return out;
}

void add_outer(const float* x, size_t n, const float* y, size_t m, size_t count, Grid* sum) {
  const std::vector<float> a = turned(x, n, count);
  const std::vector<float> other = x == y ? std::vector<float>() : turned(y, m, count);
  const std::vector<float>& b = x == y ? a : other;
  parallel_for(block_count(n), [&](size_t block) {
    const size_t first = block * kBlock, height = std::min(kBlock, n - first);
    std::vector<float> part(kBlock * kBlock);
    // A symmetric sum is computed on and below its diagonal, and mirrored.
    for (size_t column = 0; column < (x == y ? first + 1 : m); column += kBlock) {
      const size_t width = std::min(kBlock, m - column);
      block_product(&a[first * count], count, height, &b[column * count], width, count, part.data());
      for (size_t i = 0; i < height; ++i) {
        for (size_t j = 0; j < width; ++j) {
          sum->row(first + i)[column + j] += part[i * kBlock + j];
          if (x == y && column < first) {
            sum->row(column + j)[first + i] = sum->row(first + i)[column + j];
          }
        }
      }
    }
  });
}

bool factor_upper(const Grid& h, UpperFactor* out) {
  // The Cholesky factor of h read backwards is r read backwards: l[i][j] = r[n-1-i][n-1-j].
  const size_t n = h.rows;
  Grid l(n, n);
  bool good = true;
  for (size_t first = 0; first < n && good; first += kBlock) {
    const size_t width = std::min(kBlock, n - first);
    // What earlier columns give, for all rows from `first` on.
    std::vector<float> panel(width * std::max<size_t>(first, 1));
    for (size_t j = 0; j < width; ++j) {
      std::copy_n(l.row(first + j), first, &panel[j * first]);
    }
    parallel_for(block_count(n - first), [&](size_t block) {
      const size_t begin = first + block * kBlock, height = std::min(kBlock, n - begin);
      std::vector<float> part(kBlock * kBlock);
      if (first > 0) {
        block_product(l.row(begin), n, height, panel.data(), width, first, part.data());
      }
      for (size_t i = 0; i < height; ++i) {
        for (size_t j = 0; j < width; ++j) {
          l.row(begin + i)[first + j] = h.row(n - 1 - begin - i)[n - 1 - first - j] - part[i * kBlock + j];
        }
      }
    });
    for (size_t j = 0; j < width && good; ++j) {
      float* row = l.row(first + j);
      const float rest = row[first + j] - dot(row + first, row + first, j);
      good = rest > 0 && std::isfinite(rest);
      row[first + j] = std::sqrt(rest);
      for (size_t i = first + j + 1; i < std::min(n, first + width); ++i) {
        l.row(i)[first + j] = (l.row(i)[first + j] - dot(l.row(i) + first, row + first, j)) / row[first + j];
      }
      std::fill(row + first + j + 1, row + n, 0.0f);
    }
    if (first + width < n && good) {
      parallel_for(n - first - width, [&](size_t k) {
        float* row = l.row(first + width + k);
        for (size_t j = 0; j < width; ++j) {
          const float* pivot = l.row(first + j);
          row[first + j] = (row[first + j] - dot(row + first, pivot + first, j)) / pivot[first + j];
        }
      });
    }
  }
  if (!good) {
    return false;
  }
  out->r = Grid(n, n);
  out->columns_of_r = Grid(n, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      out->r.row(n - 1 - i)[n - 1 - j] = l.row(i)[j];
      out->columns_of_r.row(n - 1 - j)[n - 1 - i] = l.row(i)[j];
    }
  }
  return true;
}

void solve_rows(const UpperFactor& factor, Grid* y) {
  const size_t n = y->columns;
  parallel_for(y->rows, [&](size_t i) {
    float* row = y->row(i);
    for (size_t k = n; k-- > 0;) {  // u·rᵀ = y
      const float* r = factor.r.row(k);
      row[k] = (row[k] - dot(row + k + 1, r + k + 1, n - k - 1)) / r[k];
    }
    for (size_t k = 0; k < n; ++k) {  // z·r = u
      const float* column = factor.columns_of_r.row(k);
      row[k] = (row[k] - dot(row, column, k)) / column[k];
    }
  });
}

}  // namespace kinglet::convert
