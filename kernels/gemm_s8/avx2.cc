// int8 matrix product for AVX2 without VNNI (formula and operands: gemm_s8.h). Activations rows_s8. Reads nothing
// beyond its operands. Made for Haswell to Comet Lake and Zen 1 to 3.
//
// One step multiplies 8 k of `kRows` rows by `kTiles` universal tiles (16 outputs × 8 k, four ymm each):
//
//                     outputs 0-3     4-7     8-11    12-15         a ymm of weights: 4 outputs × 8 k
//                     w[0]            w[1]    w[2]    w[3]          a row's 8 bytes are broadcast to all 4
//   row 0   a[8] ──►  sums[0][0]      …                             lanes 2j and 2j + 1 are two partial sums of an
//   row 1   a[8] ──►  sums[1][0]      …                             output, added after the last k
//
// Register tile: kRows × kTiles × 4 = 8 sums, a and |a| of each row, 1 weight, 1 product, the ones of vpmaddwd.
//
// vpmaddubsw multiplies unsigned by signed and saturates pairs to int16: |a| · (w with a's sign) <= 2·128·127 < 32767
// is exact, because w is never −128.
#include "gemm_s8/avx.h"

#if !defined(__AVX2__)
#error "compile with -mavx2"
#endif

namespace kinglet::kernels::avx2 {
namespace {

// Eight outputs of one row: the pairs of two sums, corrected, scaled and stored.
[[gnu::always_inline]] inline void finish(const Block& block, int row, size_t column, __m256i first, __m256i second) {
  const __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(first, second), 0xD8);
  const __m256i correction =
      _mm256_mullo_epi32(load(block.column_sum + column), _mm256_set1_epi32(block.zero_point[row]));
  __m256 value = _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_sub_epi32(sum, correction)),
                                             _mm256_set1_ps(block.row_scale[row])),
                               _mm256_loadu_ps(block.column_scale + column));
  if (block.bias != nullptr) {
    value = _mm256_add_ps(value, _mm256_loadu_ps(block.bias + column));
  }
  if (block.columns < column + 8) {
    const __m256i index = _mm256_add_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0),
                                           _mm256_set1_epi32(static_cast<int>(column)));
    const __m256i valid = _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(block.columns)), index);
    value = _mm256_and_ps(value, _mm256_castsi256_ps(valid));
  }
  _mm256_storeu_ps(block.out + row * block.out_stride + column, value);
}

template <int kRows, int kTiles>
[[gnu::noinline]] void multiply_block(const Block& block) {
  __m256i sums[kRows][kTiles * 4];
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < kTiles * 4; ++v) {
      sums[r][v] = _mm256_setzero_si256();
    }
  }

  const __m256i ones = _mm256_set1_epi16(1);
  const char* a = block.a;
  const char* w = block.w;
  for (size_t step = block.steps; step > 0; --step, a += 8, w += kStepBytes) {
    __m256i rows[kRows], magnitudes[kRows];
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      rows[r] = broadcast8(a + r * block.row_bytes);
      magnitudes[r] = _mm256_abs_epi8(rows[r]);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kTiles * 4; ++v) {
      const __m256i weights = load(w + v / 4 * block.tile_bytes + v % 4 * 32);
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r) {
        const __m256i pairs = _mm256_maddubs_epi16(magnitudes[r], _mm256_sign_epi8(weights, rows[r]));
        sums[r][v] = _mm256_add_epi32(sums[r][v], _mm256_madd_epi16(pairs, ones));
      }
    }
  }

#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kTiles * 4; v += 2) {
      finish(block, r, v * 4, sums[r][v], sums[r][v + 1]);
    }
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  for (size_t tile = 0; tile < tiles;) {
    // One row alone takes two tiles at once; more rows go through one tile in pairs.
    const size_t count = args.m == 1 && tiles - tile >= 2 ? 2 : 1;
    for (size_t row = 0; row < args.m;) {
      const Block block = block_of(args, row, tile, count);
      if (args.m - row >= 2) {
        multiply_block<2, 1>(block);
        row += 2;
      } else {
        count == 2 ? multiply_block<1, 2>(block) : multiply_block<1, 1>(block);
        row += 1;
      }
    }
    tile += count;
  }
}

}  // namespace kinglet::kernels::avx2
