// Activations between rows_s8, in which tests and benchmarks make them, and the layout of a kernel table.
#pragma once

#include <cstdint>
#include <cstring>

#include "gemm_s8/gemm_s8.h"

namespace kinglet::kernels::test {

inline int8_t flipped(int8_t byte, ActivationLayout layout) {
  return static_cast<int8_t>(layout == ActivationLayout::rows_u8 ? byte ^ 0x80 : byte);
}

// m rows of k in rows_s8 into activation_bytes(layout, m, k) bytes.
inline void pack_activations(const int8_t* rows, size_t m, size_t k, ActivationLayout layout, int8_t* packed) {
  std::memset(packed, 0, activation_bytes(layout, m, k));
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < round_up(k, 8); ++j) {
      int8_t* at = packed + activation_offset(layout, k, i, j);
      *at = flipped(rows[i * round_up(k, 8) + j], layout);
      if (layout == ActivationLayout::rows_s8_twice) {
        at[8] = *at;
      }
      if (layout == ActivationLayout::rows_s16) {
        at[1] = static_cast<int8_t>(*at < 0 ? -1 : 0);
      }
    }
  }
}

// The reverse.
inline void unpack_activations(const int8_t* packed, size_t m, size_t k, ActivationLayout layout, int8_t* rows) {
  for (size_t i = 0; i < m; ++i) {
    for (size_t j = 0; j < round_up(k, 8); ++j) {
      rows[i * round_up(k, 8) + j] = flipped(packed[activation_offset(layout, k, i, j)], layout);
    }
  }
}

}  // namespace kinglet::kernels::test
