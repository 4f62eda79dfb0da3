// int8 matrix product: formula, operands, limits. kernels.inc lists the implementations.
//
//   out[i][j] = ((float)(Σ_k a[i][k]·w[j][k] − zero_point[i]·column_sum[j]) · row_scale[i]) · column_scale[j] + bias[j]
//
// The sum and the correction are exact: uint32 that wraps, read as int32 (below 2³¹ in magnitude for every k allowed,
// but for sums of extremes at the largest k). The three float operations round to nearest, in that order.
//
// Weights lie in the universal tile W[n/16][k/8][16][8], the same bytes on every ISA: tile after tile of 16 outputs,
// each tile step after step of 8 k, each step 128 bytes:
//
//              k   8s  8s+1 … 8s+7
//   output 16t     w    w   …  w      bytes   0 …   7     one zmm = 8 outputs, one ymm = 4, one q = 2;
//   output 16t+1   w    w   …  w      bytes   8 …  15     a row's 8 activation bytes meet all of them
//     …
//   output 16t+15  w    w   …  w      bytes 120 … 127
//
// Outputs from n and k from k up are padding, with weight 0.
//
// Limits      k <= 65,536; w in [-127, 127] (−128 would overflow the sign trick of AVX2 and smull + smlal);
//             column_sum[j] is the true Σ_k w[j][k], hence below 2²³ in magnitude: paths rely on it.
// Alignment   none needed beyond that of the element types; cache-line-aligned weights are fastest.
// Over-read   none: exactly the padded operands are read, and `out` is written from 0 to n padded to 16 in every row.
// Aliasing    out overlaps nothing that is read.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::kernels {

// Always inlined, for files with ISA flags must not offer functions to the linker (README.md).
[[gnu::always_inline]] constexpr size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// How int8 activations lie in memory; each gemm_s8 kernel wants its own, which the quantisers write. Every row has k
// padded to 8 with the number 0. The grouped layouts have their rows padded to whole groups, with the number 0.
enum class ActivationLayout : unsigned char {
  rows_s8,        // row-major
  rows_u8,        // the same with every byte ^ 0x80, which is a + 128: x86's VNNI multiplies unsigned by signed
  rows_s16,       // row-major, every number in the two bytes of an int16: WebAssembly multiplies int16 only
  rows_s8_twice,  // row-major, every 8 bytes twice in a row: smull takes the low half of a q register, smull2 the high
  sdot_4x4,       // [m/4][k/4][4 rows][4 k]: a q register is 4 rows, for sdot with the weights as the lane operand
  smmla_2x8,      // [m/2][k/8][2 rows][8 k]: a q register is the left matrix of smmla
};

// Rows that lie interleaved.
[[gnu::always_inline]] constexpr size_t rows_per_group(ActivationLayout layout) {
  return layout == ActivationLayout::sdot_4x4 ? 4 : layout == ActivationLayout::smmla_2x8 ? 2 : 1;
}

// Bytes that `m` rows of `k` activations take in `layout`.
[[gnu::always_inline]] constexpr size_t activation_bytes(ActivationLayout layout, size_t m, size_t k) {
  const bool twice = layout == ActivationLayout::rows_s8_twice || layout == ActivationLayout::rows_s16;
  return round_up(m, rows_per_group(layout)) * round_up(k, 8) * (twice ? 2 : 1);
}

// Where row i, column j of activations of width k lies (in rows_s8_twice, again 8 bytes on; in rows_s16, its low byte).
[[gnu::always_inline]] constexpr size_t activation_offset(ActivationLayout layout, size_t k, size_t i, size_t j) {
  const size_t row_bytes = round_up(k, 8);
  switch (layout) {
    case ActivationLayout::rows_s16:
      return (i * row_bytes + j) * 2;
    case ActivationLayout::rows_s8_twice:
      return i * row_bytes * 2 + j / 8 * 16 + j % 8;
    case ActivationLayout::sdot_4x4:
      return i / 4 * row_bytes * 4 + j / 4 * 16 + i % 4 * 4 + j % 4;
    case ActivationLayout::smmla_2x8:
      return i / 2 * row_bytes * 2 + j / 8 * 16 + i % 2 * 8 + j % 8;
    default:
      return i * row_bytes + j;
  }
}

struct GemmS8 {
  const void* a;              // activations in the table's layout: m rows of k
  const int8_t* w;            // [ceil(n/16)][ceil(k/8)][16][8], in [-127, 127], padding 0
  size_t m, n, k;             // m, n, k >= 1; k <= 65,536
  const float* row_scale;     // [m]
  const int32_t* zero_point;  // [m], in [-128, 127]
  const float* column_scale;  // [n padded to 16]
  const int32_t* column_sum;  // [n padded to 16]: Σ_k w[j][k]
  const float* bias;          // [n padded to 16], or null: nothing is added
  float* out;                 // m rows, padded to 16
  size_t out_stride;          // floats
};

}  // namespace kinglet::kernels
