// What the 256-bit x86 products share: the operands of a block, and how weights and activations are loaded.
#pragma once

#include "kernels.h"
#include "simd/x86.h"

#if !defined(__AVX2__)
#error "compile with -mavx2"
#endif
#if defined(__FAST_MATH__)
#error "kernels need exact floating-point semantics: compile without -ffast-math"
#endif

namespace kinglet::kernels {
namespace {

constexpr size_t kTileColumns = 16;
constexpr size_t kStepBytes = 128;  // 16 outputs × 8 k

// What a block needs of its operands, rows and tiles counted from the block's first.
struct Block {
  const char* a;
  const char* w;
  size_t row_bytes, tile_bytes, steps;
  const float* row_scale;
  const int32_t* zero_point;
  const float* column_scale;
  const int32_t* column_sum;
  const float* bias;
  float* out;
  size_t out_stride;
  size_t columns;  // the valid columns of the block
};

[[gnu::always_inline]] inline __m256i load(const void* p) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

[[gnu::always_inline]] inline __m256i broadcast8(const char* p) {
  long long bytes;
  __builtin_memcpy(&bytes, p, sizeof bytes);
  return _mm256_set1_epi64x(bytes);
}

// The block of rows from `row` on and `count` tiles from `tile` on. Activations lie in rows of whole steps.
[[gnu::always_inline]] inline Block block_of(const GemmS8& args, size_t row, size_t tile, size_t count) {
  const size_t steps = (args.k + 7) / 8;
  const size_t column = tile * kTileColumns;
  return {
      .a = static_cast<const char*>(args.a) + row * steps * 8,
      .w = reinterpret_cast<const char*>(args.w) + tile * steps * kStepBytes,
      .row_bytes = steps * 8,
      .tile_bytes = steps * kStepBytes,
      .steps = steps,
      .row_scale = args.row_scale + row,
      .zero_point = args.zero_point + row,
      .column_scale = args.column_scale + column,
      .column_sum = args.column_sum + column,
      .bias = args.bias != nullptr ? args.bias + column : nullptr,
      .out = args.out + row * args.out_stride + column,
      .out_stride = args.out_stride,
      .columns = args.n - column < count * kTileColumns ? args.n - column : count * kTileColumns,
  };
}

}  // namespace
}  // namespace kinglet::kernels
