// What the NEON matrix products share: how a product is cut into blocks, and the end of every block.
#pragma once

#include <arm_neon.h>

#include "gemm_s8/gemm_s8.h"

#if !defined(__aarch64__) || !defined(__ARM_NEON)
#error "compile for aarch64 with NEON"
#endif
#if defined(__FAST_MATH__)
#error "kernels need exact floating-point semantics: compile without -ffast-math"
#endif

namespace kinglet::kernels {
namespace {

constexpr size_t kStepBytes = 128;  // of a tile: 16 outputs × 8 k
constexpr size_t kHalfBytes = 64;   // of half a tile: 8 outputs × 8 k
constexpr size_t kChunkRows = 96;   // rows that run through all tiles together

// What a block needs of its operands, rows and half tiles counted from the block's first.
struct Block {
  const int8_t* a;
  const int8_t* w;
  size_t steps;                    // of 8 k
  size_t group_bytes, tile_bytes;  // from one group of rows, from one tile, to the next
  size_t rows;                     // that exist
  size_t columns;                  // that exist
  const float* row_scale;
  const int32_t* zero_point;
  const float* column_scale;
  const int32_t* column_sum;
  const float* bias;
  float* out;
  size_t out_stride;
};
using BlockFunction = void (*)(const Block&);

// ---- Instructions in the order in which they stand -----------------------------------------------------------------
// The inner loops are scheduled by hand, for processors that do not reorder: volatile assembly stays in its order, and
// the compiler only gives out registers. (Left alone, gcc 12 copies accumulators and spills.)

template <bool kYes>
struct Choice {
  static constexpr bool value = kYes;
};

[[gnu::always_inline]] inline int8x16_t load_here(const int8_t* p) {
#if defined(__clang__)
  return vld1q_s8(p);  // clang moves no load over volatile assembly, and would compute the address of an operand
#else
  typedef int8x16_t Anywhere __attribute__((aligned(1), may_alias));
  int8x16_t x;
  asm volatile("ldr\t%q0, %1" : "=w"(x) : "m"(*reinterpret_cast<const Anywhere*>(p)));
  return x;
#endif
}

// p += kBytes, hidden from the compiler: it would make write-back of the loads, which then wait for one another.
template <int kBytes>
[[gnu::always_inline]] inline void advance(const int8_t*& p) {
  asm volatile("add\t%0, %0, %1" : "+r"(p) : "i"(kBytes));
}

// ---- Blocks --------------------------------------------------------------------------------------------------------

// Four outputs of one row: corrected, scaled and stored.
[[gnu::always_inline]] inline void finish(const Block& block, size_t row, size_t column, int32x4_t sum) {
  sum = vmlsq_n_s32(sum, vld1q_s32(block.column_sum + column), block.zero_point[row]);
  float32x4_t value = vmulq_n_f32(vcvtq_f32_s32(sum), block.row_scale[row]);
  value = vmulq_f32(value, vld1q_f32(block.column_scale + column));
  if (block.bias != nullptr) {
    value = vaddq_f32(value, vld1q_f32(block.bias + column));
  }
  if (block.columns < column + 4) {
    const int32_t indices[4] = {0, 1, 2, 3};
    const int32_t left = block.columns <= column ? 0 : static_cast<int32_t>(block.columns - column);
    const uint32x4_t valid = vcltq_s32(vld1q_s32(indices), vdupq_n_s32(left));
    value = vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(value), valid));
  }
  vst1q_f32(block.out + row * block.out_stride + column, value);
}

// The cut of a chunk: row groups of a block at most, half tiles at once.
struct Cut {
  size_t groups, halves;
};

// Cuts the product into chunks of rows, those by cut(groups of the chunk), and calls function(groups, halves)(block).
// Where fewer half tiles are left than the cut has, it takes 2.
template <typename CutOf, typename Function>
[[gnu::always_inline]] inline void multiply_all(const GemmS8& args, ActivationLayout layout, CutOf cut_of,
                                                Function function) {
  const size_t group_rows = rows_per_group(layout);
  const size_t group_bytes = activation_bytes(layout, group_rows, args.k);
  const size_t steps = (args.k + 7) / 8;
  const size_t all_halves = (args.n + 15) / 16 * 2;
  const size_t all_groups = (args.m + group_rows - 1) / group_rows;
  const size_t chunks = (args.m + kChunkRows - 1) / kChunkRows;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const size_t first_group = all_groups * chunk / chunks;
    const size_t groups = all_groups * (chunk + 1) / chunks - first_group;
    const Cut cut = cut_of(groups);
    const size_t blocks = (groups + cut.groups - 1) / cut.groups;
    for (size_t half = 0; half < all_halves;) {
      const size_t halves = cut.halves <= all_halves - half ? cut.halves : 2;
      const size_t column = half * 8;
      for (size_t b = 0; b < blocks; ++b) {
        const size_t group = first_group + groups * b / blocks;  // split evenly: 4 = 2 + 2
        const size_t end = first_group + groups * (b + 1) / blocks;
        const size_t row = group * group_rows;
        const size_t rows = (end - group) * group_rows;
        const Block block = {
            .a = static_cast<const int8_t*>(args.a) + group * group_bytes,
            .w = args.w + half / 2 * steps * kStepBytes + half % 2 * kHalfBytes,
            .steps = steps,
            .group_bytes = group_bytes,
            .tile_bytes = steps * kStepBytes,
            .rows = rows <= args.m - row ? rows : args.m - row,
            .columns = args.n <= column ? 0 : args.n - column,
            .row_scale = args.row_scale + row,
            .zero_point = args.zero_point + row,
            .column_scale = args.column_scale + column,
            .column_sum = args.column_sum + column,
            .bias = args.bias != nullptr ? args.bias + column : nullptr,
            .out = args.out + row * args.out_stride + column,
            .out_stride = args.out_stride,
        };
        function(end - group, halves)(block);
      }
      half += halves;
    }
  }
}

}  // namespace
}  // namespace kinglet::kernels
