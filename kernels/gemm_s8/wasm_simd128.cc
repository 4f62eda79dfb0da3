// int8 matrix product for WebAssembly's 128-bit SIMD, baseline (formula and operands: gemm_s8.h). Activations rows_s16.
// Reads nothing beyond its operands.
//
// One step multiplies 8 k of kRows rows by kOutputs outputs of a universal tile, which are widened while loaded:
//
//                      w[0]  8 × int16   w[1]            i32x4.dot_i16x8_s multiplies 8 pairs of int16 and adds
//   row 0   a[0]  ──►  sums[0][0]        sums[0][1]      neighbours: exact, 2·127·128 fits many times. Each sum is 4
//   row 1   a[1]  ──►  sums[1][0]        sums[1][1]      partial sums of one output, added after the last k.
//
// Register tile: 4 rows × 2 outputs, twice for the four outputs of a block (8 sums, 4 a, 1 w, 1 product, of the 15
// registers that V8 has on x86), and up to 3 rows × 4 outputs. Measured under V8 on an Intel server core, 10⁹ products
// per second: 42 with 4 × 2, 39 with 2 × 4, 32 with 1 × 4; activations as int8, widened while loaded: 35, 35, 29;
// i16x8.extmul of bytes with i32x4.extadd_pairwise, which NEON has as instructions and x86 has not: 17.
//
// Where the engine has relaxed SIMD, whoever embeds the module may give it dot products of bytes (use_dot, at the end):
// the sums of a block then come from there, of activations narrowed once, and everything else stays. 102, by blocks of up to 6 rows.
#include <wasm_simd128.h>

#include "gemm_s8/gemm_s8.h"

#if !defined(__wasm_simd128__)
#error "compile with -msimd128"
#endif
#if defined(__FAST_MATH__)
#error "kernels need exact floating-point semantics: compile without -ffast-math"
#endif

namespace kinglet::kernels::wasm_simd128 {
namespace {

constexpr size_t kStepBytes = 128;         // of a tile: 16 outputs × 8 k
constexpr size_t kRowsAtOnce = 4;          // largest row block
constexpr size_t kChunkBytes = 96 * 1024;  // of activations that run through all tiles together
constexpr size_t kDotBytes = 28 * 1024;    // the same as bytes: half of a first-level cache
constexpr size_t kDotRows = 6;             // largest row block by dot products

// Sums over 8 · steps k of as many rows of bytes as the place in the array says, `stride` bytes apart, and four outputs.
using DotFunction = void (*)(const uint8_t* a, const int8_t* w, size_t stride, size_t steps, int32_t* sums);
DotFunction dot_of[kDotRows];
int32_t dot_offset;  // what its activations have been moved by: 0, or 128 where it takes them for unsigned

// Four outputs of up to four rows, counted from the block's first.
struct Block {
  const void* a;
  const int8_t* w;
  size_t row_bytes, steps;
  int32_t offset;  // of the activations
  const float* row_scale;
  const int32_t* zero_point;
  const float* column_scale;
  const int32_t* column_sum;
  const float* bias;
  float* out;
  size_t out_stride;
  size_t columns;  // that exist, from the block's first on
};

// Lanes 0 + 1 and 2 + 3 of a, then of b.
[[gnu::always_inline]] inline v128_t add_pairs(v128_t a, v128_t b) {
  return wasm_i32x4_add(wasm_i32x4_shuffle(a, b, 0, 2, 4, 6), wasm_i32x4_shuffle(a, b, 1, 3, 5, 7));
}

// Four outputs of one row: corrected, scaled and stored.
[[gnu::always_inline]] inline void finish(const Block& block, size_t row, v128_t sum) {
  const v128_t correction =
      wasm_i32x4_mul(wasm_v128_load(block.column_sum), wasm_i32x4_splat(block.zero_point[row] + block.offset));
  v128_t value = wasm_f32x4_convert_i32x4(wasm_i32x4_sub(sum, correction));
  value = wasm_f32x4_mul(value, wasm_f32x4_splat(block.row_scale[row]));
  value = wasm_f32x4_mul(value, wasm_v128_load(block.column_scale));
  if (block.bias != nullptr) {
    value = wasm_f32x4_add(value, wasm_v128_load(block.bias));
  }
  if (block.columns < 4) {
    const v128_t left = wasm_i32x4_splat(static_cast<int32_t>(block.columns));
    value = wasm_v128_and(value, wasm_i32x4_lt(wasm_i32x4_const(0, 1, 2, 3), left));
  }
  wasm_v128_store(block.out + row * block.out_stride, value);
}

template <int kRows, int kOutputs>
[[gnu::noinline]] void multiply_block(const Block& block) {
  constexpr int kPasses = 4 / kOutputs;
  v128_t pairs[kRows][2];
#pragma GCC unroll 2
  for (int pass = 0; pass < kPasses; ++pass) {
    v128_t sums[kRows][kOutputs];
#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int o = 0; o < kOutputs; ++o) {
        sums[r][o] = wasm_i32x4_const(0, 0, 0, 0);
      }
    }

    const auto* a = static_cast<const int8_t*>(block.a);
    const int8_t* w = block.w + pass * kOutputs * 8;
    for (size_t step = block.steps; step > 0; --step, a += 16, w += kStepBytes) {
      v128_t rows[kRows];
#pragma GCC unroll 4
      for (int r = 0; r < kRows; ++r) {
        rows[r] = wasm_v128_load(a + r * block.row_bytes);
      }
#pragma GCC unroll 4
      for (int o = 0; o < kOutputs; ++o) {
        const v128_t weights = wasm_i16x8_load8x8(w + o * 8);
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) {
          sums[r][o] = wasm_i32x4_add(sums[r][o], wasm_i32x4_dot_i16x8(weights, rows[r]));
        }
      }
    }

#pragma GCC unroll 4
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 2
      for (int o = 0; o < kOutputs; o += 2) {
        pairs[r][pass + o / 2] = add_pairs(sums[r][o], sums[r][o + 1]);
      }
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) {
    finish(block, r, add_pairs(pairs[r][0], pairs[r][1]));
  }
}

using BlockFunction = void (*)(const Block&);
constexpr BlockFunction kBlocks[kRowsAtOnce] = {multiply_block<1, 4>, multiply_block<2, 4>, multiply_block<3, 4>,
                                                multiply_block<4, 2>};

void multiply_by_dot(const Block& block, size_t rows) {
  int32_t sums[kDotRows][4];
  dot_of[rows - 1](static_cast<const uint8_t*>(block.a), block.w, block.row_bytes, block.steps, sums[0]);
  for (size_t r = 0; r < rows; ++r) {
    finish(block, r, wasm_v128_load(sums[r]));
  }
}

// `count` activations, a multiple of 8, as the dot products take them.
void narrow(const int8_t* a, size_t count, uint8_t* bytes) {
  const v128_t offset = wasm_i16x8_splat(static_cast<int16_t>(dot_offset));
  for (size_t i = 0; i < count; i += 8) {
    const v128_t low = wasm_v128_and(wasm_i16x8_add(wasm_v128_load(a + 2 * i), offset), wasm_i16x8_const_splat(255));
    wasm_v128_store64_lane(bytes + i, wasm_u8x16_narrow_i16x8(low, low), 0);
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  const size_t steps = (args.k + 7) / 8;
  const size_t row_bytes = steps * 16;
  uint8_t bytes[kDotBytes];
  const bool by_dot = dot_of[0] != nullptr && kDotRows * steps * 8 <= sizeof bytes;
  const size_t rows_at_once = by_dot ? kDotRows : kRowsAtOnce;
  const size_t most = by_dot ? kDotBytes / (steps * 8) : kChunkBytes / row_bytes;
  const size_t chunk_rows = most < rows_at_once ? rows_at_once : most;
  const size_t chunks = (args.m + chunk_rows - 1) / chunk_rows;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const size_t first = args.m * chunk / chunks;
    const size_t rows = args.m * (chunk + 1) / chunks - first;
    const size_t blocks = (rows + rows_at_once - 1) / rows_at_once;
    const int8_t* a = static_cast<const int8_t*>(args.a) + first * row_bytes;
    if (by_dot) {
      narrow(a, rows * steps * 8, bytes);
    }
    for (size_t column = 0; column < round_up(args.n, 16); column += 4) {
      for (size_t b = 0; b < blocks; ++b) {
        const size_t row = first + rows * b / blocks;  // split evenly: 5 = 2 + 3
        const size_t end = first + rows * (b + 1) / blocks;
        const size_t inside = row - first;
        const Block block = {
            .a = by_dot ? static_cast<const void*>(bytes + inside * steps * 8) : a + inside * row_bytes,
            .w = args.w + column / 16 * steps * kStepBytes + column % 16 * 8,
            .row_bytes = by_dot ? steps * 8 : row_bytes,
            .steps = steps,
            .offset = by_dot ? dot_offset : 0,
            .row_scale = args.row_scale + row,
            .zero_point = args.zero_point + row,
            .column_scale = args.column_scale + column,
            .column_sum = args.column_sum + column,
            .bias = args.bias != nullptr ? args.bias + column : nullptr,
            .out = args.out + row * args.out_stride + column,
            .out_stride = args.out_stride,
            .columns = args.n <= column ? 0 : args.n - column,
        };
        if (by_dot) {
          multiply_by_dot(block, end - row);
        } else {
          kBlocks[end - row - 1](block);
        }
      }
    }
  }
}

// Exported to the embedder: the dot products of one to six rows, or null for none. kind 1: they take activations for
// signed, 2: for unsigned numbers.
extern "C" [[clang::export_name("use_dot")]] void kinglet_wasm_use_dot(size_t rows, DotFunction dot, int32_t kind) {
  if (rows >= 1 && rows <= kDotRows) {
    dot_of[rows - 1] = dot;
  }
  dot_offset = kind == 2 ? 128 : 0;
}

}  // namespace kinglet::kernels::wasm_simd128
