// Quantised numbers into the activation layouts (gemm_s8/gemm_s8.h).
#pragma once

#include "gemm_s8/gemm_s8.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

template <ActivationLayout kLayout>
constexpr unsigned char kFlip = kLayout == ActivationLayout::rows_u8 ? 0x80 : 0;
template <ActivationLayout kLayout>
constexpr bool kRowMajor = kLayout == ActivationLayout::rows_s8 || kLayout == ActivationLayout::rows_u8;

KINGLET_INLINE Part padded_to_8(Part part) { return {(part.count + 7) / 8 * 8}; }
KINGLET_INLINE Full padded_to_8(Full full) { return full; }
KINGLET_INLINE bool exists(size_t lane, Part part) { return lane < part.count; }
KINGLET_INLINE bool exists(size_t, Full) { return true; }

// Where row i begins.
template <ActivationLayout kLayout>
KINGLET_INLINE unsigned char* activation_row(void* q, size_t k, size_t i) {
  return static_cast<unsigned char*>(q) + activation_offset(kLayout, k, i, 0);
}

// The columns from j on (a multiple of 16) of the row that begins at `row`: saturated to int8, up to the next multiple
// of 8 where only a part exists.
template <ActivationLayout kLayout, int N, typename Count>
KINGLET_INLINE void store_activations(unsigned char* row, size_t j, Ints<N> values, Count count) {
  if constexpr (kRowMajor<kLayout>) {
    store_bytes(row + j, values, kFlip<kLayout>, padded_to_8(count));
  } else if constexpr (N == 16) {
    // 8 numbers of the row lie in 16 bytes: with its neighbours', with their own copy, or two bytes each.
    const auto bytes = saturated_bytes(values);
    unsigned char* p = row + activation_offset(kLayout, 0, 0, j);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half, p += activation_offset(kLayout, 0, 0, 8)) {
      if (exists(half * 8, count)) {
        if constexpr (kLayout == ActivationLayout::rows_s16) {
          store_wide(p, bytes, half);
        } else if constexpr (kLayout == ActivationLayout::sdot_4x4) {
          typedef uint32_t Words __attribute__((vector_size(16)));
          const uint32_t first = ((Words)bytes)[half * 2];
          const uint32_t second = ((Words)bytes)[half * 2 + 1];
          std::memcpy(p, &first, 4);
          std::memcpy(p + 16, &second, 4);
        } else {
          typedef uint64_t Words __attribute__((vector_size(16)));
          const uint64_t eight = ((Words)bytes)[half];
          std::memcpy(p, &eight, 8);
          if constexpr (kLayout == ActivationLayout::rows_s8_twice) {
            std::memcpy(p + 8, &eight, 8);
          }
        }
      }
    }
  } else {
    store_activations<kLayout>(row, j, values.low, low_part(count, N / 2));
    store_activations<kLayout>(row, j + N / 2, values.high, high_part(count, N / 2));
  }
}

// The number 0 in the rows that complete the last group.
template <ActivationLayout kLayout>
KINGLET_INLINE void clear_missing_rows(void* q, size_t m, size_t k) {
  constexpr size_t kPiece = kLayout == ActivationLayout::sdot_4x4 ? 4 : 8;
  for (size_t i = m; i < round_up(m, rows_per_group(kLayout)); ++i) {
    unsigned char* row = activation_row<kLayout>(q, k, i);
    for (size_t j = 0; j < round_up(k, 8); j += kPiece) {
      std::memset(row + activation_offset(kLayout, 0, 0, j), 0, kPiece);
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels
