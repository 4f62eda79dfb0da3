// The inner loops of matmul.h, compiled once per instruction set by the files that include this one. Register tile:
// kTileRows × kTileColumns sums, of which kRows × kColumns at a time lie in registers. No std functions here: an inline
// function compiled for a wide instruction set must never be the one that the linker keeps.
#include "prune/matmul_kernels.h"

namespace kinglet::convert {
namespace {

typedef float Floats __attribute__((vector_size(KINGLET_MATMUL_BYTES)));
typedef double Doubles __attribute__((vector_size(KINGLET_MATMUL_BYTES)));
constexpr size_t kLanes = KINGLET_MATMUL_BYTES / sizeof(float);
constexpr size_t kDoubleLanes = KINGLET_MATMUL_BYTES / sizeof(double);
constexpr size_t kColumns = 2 * kLanes;
constexpr size_t kRows = KINGLET_MATMUL_BYTES == 64 ? 8 : 4;

inline Floats load(const float* from) {
  Floats vector;
  __builtin_memcpy(&vector, from, sizeof(vector));
  return vector;
}
inline Doubles load(const double* from) {
  Doubles vector;
  __builtin_memcpy(&vector, from, sizeof(vector));
  return vector;
}
inline void store(Floats vector, float* to) {
  __builtin_memcpy(to, &vector, sizeof(vector));
}
inline void store(Doubles vector, double* to) {
  __builtin_memcpy(to, &vector, sizeof(vector));
}

void multiply_tile(const float* a, const float* b, size_t k, float* out) {
  for (size_t row = 0; row < kTileRows; row += kRows) {
    for (size_t column = 0; column < kTileColumns; column += kColumns) {
      Floats sums[kRows][2] = {};
      for (size_t j = 0; j < k; ++j) {
        const float* left = a + j * kTileRows + row;
        const float* right = b + j * kTileColumns + column;
        const Floats b0 = load(right), b1 = load(right + kLanes);
#pragma GCC unroll 8
        for (size_t i = 0; i < kRows; ++i) {
          sums[i][0] += left[i] * b0;
          sums[i][1] += left[i] * b1;
        }
      }
      for (size_t i = 0; i < kRows; ++i) {
        float* place = out + (row + i) * kTileColumns + column;
        store(sums[i][0], place);
        store(sums[i][1], place + kLanes);
      }
    }
  }
}

double dot_doubles(const double* a, const double* b, size_t count) {
  constexpr size_t kVectors = 32 / kDoubleLanes;
  Doubles sums[kVectors] = {};
  size_t i = 0;
  for (; i + 32 <= count; i += 32) {
#pragma GCC unroll 16
    for (size_t v = 0; v < kVectors; ++v) {
      sums[v] += load(a + i + v * kDoubleLanes) * load(b + i + v * kDoubleLanes);
    }
  }
  double lanes[32];
  for (size_t v = 0; v < kVectors; ++v) {
    store(sums[v], lanes + v * kDoubleLanes);
  }
  for (size_t lane = 0; i < count; ++i, ++lane) {
    lanes[lane] += a[i] * b[i];
  }
  for (size_t half = 16; half > 0; half /= 2) {
    for (size_t lane = 0; lane < half; ++lane) {
      lanes[lane] += lanes[lane + half];
    }
  }
  return lanes[0];
}

void add_scaled_doubles(double factor, const double* x, size_t count, double* y) {
  size_t i = 0;
  for (; i + kDoubleLanes <= count; i += kDoubleLanes) {
    store(load(y + i) + factor * load(x + i), y + i);
  }
  for (; i < count; ++i) {
    y[i] += factor * x[i];
  }
}

constexpr MatmulKernels kKernels = {multiply_tile, dot_doubles, add_scaled_doubles};

}  // namespace
}  // namespace kinglet::convert
