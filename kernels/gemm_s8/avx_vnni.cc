// int8 matrix product for AVX-VNNI, 256 bits (formula and operands: gemm_s8.h). Activations rows_u8. Reads nothing
// beyond its operands. Made for Alder Lake, Raptor Lake, Meteor Lake, Intel N100.
//
// One step multiplies 8 k of kRows rows by kTiles universal tiles (16 outputs × 8 k, four ymm each):
//
//                     outputs 0-3     4-7     8-11    12-15         a ymm of weights: 4 outputs × 8 k
//                     w[0]            w[1]    w[2]    w[3]          a row's 8 bytes are broadcast to all 4
//   row 0   a[8] ──►  sums[0][0]      …                             vpdpbusd adds 4 products per int32 lane:
//   row 1   a[8] ──►  sums[1][0]      …                             lanes 2j and 2j + 1 are two partial sums of
//   row 2   a[8] ──►  sums[2][0]      …                             output j, added after the last k
//
// Register tile: kRows × kTiles × 4 = 12 sums, kRows broadcasts, 1 weight: all 16 ymm. One row runs three tiles at
// once, for vpdpbusd needs 10 independent sums (latency 5, two ports).
//
// The offset of 128 and the zero points are corrected as in avx512_vnni.cc: the sums start at −128·Σ w, and −zp·Σ w is
// one vpdpwssd on 16-bit halves.
#include "gemm_s8/avx.h"

#if !defined(__AVXVNNI__) || !defined(__AVX2__)
#error "compile with -mavx2 -mavxvnni"
#endif

namespace kinglet::kernels::avx_vnni {
namespace {

constexpr size_t kMaxRows = 3;
constexpr size_t kChunkRows = 96;  // rows that run through all tiles together

// sums += Σ of 4 products of unsigned `rows` and signed `weights` per lane; by hand as in avx512_vnni.cc.
[[gnu::always_inline]] inline void multiply_add(__m256i& sums, __m256i rows, __m256i weights) {
  asm("%{vex%} vpdpbusd\t{%2, %1, %0|%0, %1, %2}" : "+x"(sums) : "x"(rows), "x"(weights));
}

// sums += Σ of 2 products of int16 per lane.
[[gnu::always_inline]] inline void multiply_add_pairs(__m256i& sums, __m256i a, __m256i b) {
  asm("%{vex%} vpdpwssd\t{%2, %1, %0|%0, %1, %2}" : "+x"(sums) : "x"(a), "x"(b));
}

// Eight outputs from `column` on of kRows rows, whose sums are `row_sums` apart: pairs of sums are added,
// corrected, scaled and stored.
template <int kRows>
[[gnu::always_inline]] inline void finish(const Block& block, size_t column, const __m256i* sums, size_t row_sums) {
  // c = −Σ w = 256·h + l as pairs (l, h), against (zp, 256·zp).
  const __m256i c = _mm256_sub_epi32(_mm256_setzero_si256(), load(block.column_sum + column));
  const __m256i pairs = _mm256_or_si256(_mm256_and_si256(c, _mm256_set1_epi32(0xFF)),
                                        _mm256_and_si256(_mm256_slli_epi32(c, 8), _mm256_set1_epi32(~0xFFFF)));
  const __m256 column_scale = _mm256_loadu_ps(block.column_scale + column);
  const __m256i index =
      _mm256_add_epi32(_mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0), _mm256_set1_epi32(static_cast<int>(column)));
  const __m256 valid =
      _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(block.columns)), index));
#pragma GCC unroll 3
  for (int r = 0; r < kRows; ++r) {
    __m256i sum = _mm256_permute4x64_epi64(_mm256_hadd_epi32(sums[r * row_sums], sums[r * row_sums + 1]), 0xD8);
    const auto zero_point = static_cast<uint32_t>(block.zero_point[r]);
    multiply_add_pairs(sum, pairs, _mm256_set1_epi32(static_cast<int>((zero_point & 0xFFFF) | zero_point << 24)));
    __m256 value =
        _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_set1_ps(block.row_scale[r])), column_scale);
    if (block.bias != nullptr) {
      value = _mm256_add_ps(value, _mm256_loadu_ps(block.bias + column));
    }
    _mm256_storeu_ps(block.out + r * block.out_stride + column, _mm256_and_ps(value, valid));
  }
}

template <int kRows, int kTiles>
[[gnu::noinline]] void multiply_block(const Block& block) {
  __m256i sums[kRows][kTiles * 4];
#pragma GCC unroll 12
  for (int v = 0; v < kTiles * 4; ++v) {
    const auto* column_sum = reinterpret_cast<const __m128i*>(block.column_sum + v * 4);
    const __m128i c = _mm_sub_epi32(_mm_setzero_si128(), _mm_loadu_si128(column_sum));
    // −128·Σ w: partial sum 2j starts with the number, 2j + 1 with 0.
    const __m256i start = _mm256_cvtepu32_epi64(_mm_slli_epi32(c, 7));
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      sums[r][v] = start;
    }
  }

  const char* a = block.a;
  const char* w = block.w;
  for (size_t step = block.steps; step > 0; --step, a += 8, w += kStepBytes) {
    __m256i rows[kRows];
#pragma GCC unroll 3
    for (int r = 0; r < kRows; ++r) {
      rows[r] = broadcast8(a + r * block.row_bytes);
    }
#pragma GCC unroll 12
    for (int v = 0; v < kTiles * 4; ++v) {
      const __m256i weights = load(w + v / 4 * block.tile_bytes + v % 4 * 32);
#pragma GCC unroll 3
      for (int r = 0; r < kRows; ++r) {
        multiply_add(sums[r][v], rows[r], weights);
      }
    }
  }

#pragma GCC unroll 6
  for (int v = 0; v < kTiles * 4; v += 2) {
    finish<kRows>(block, v * 4, &sums[0][v], kTiles * 4);
  }
}

using BlockFunction = void (*)(const Block&);

BlockFunction block_function(size_t rows, size_t tiles) {
  switch (rows) {
    case 1:
      return tiles == 3 ? multiply_block<1, 3> : tiles == 2 ? multiply_block<1, 2> : multiply_block<1, 1>;
    case 2:
      return multiply_block<2, 1>;
    default:
      return multiply_block<3, 1>;
  }
}

// All tiles for at most kChunkRows rows.
void multiply_chunk(const GemmS8& args, size_t first_row, size_t m) {
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  const size_t row_blocks = (m + kMaxRows - 1) / kMaxRows;
  for (size_t tile = 0; tile < tiles;) {
    const size_t left = tiles - tile;
    const size_t count = m > 1 ? 1 : left >= 3 && left != 4 ? 3 : left >= 2 ? 2 : 1;  // 4 = 2 + 2
    for (size_t b = 0; b < row_blocks; ++b) {
      const size_t row = m * b / row_blocks;  // split evenly: 4 = 2 + 2
      const size_t rows = m * (b + 1) / row_blocks - row;
      const Block block = block_of(args, first_row + row, tile, count);
      block_function(rows, count)(block);
    }
    tile += count;
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  const size_t chunks = (args.m + kChunkRows - 1) / kChunkRows;
  for (size_t chunk = 0; chunk < chunks; ++chunk) {
    const size_t row = args.m * chunk / chunks;
    multiply_chunk(args, row, args.m * (chunk + 1) / chunks - row);
  }
}

}  // namespace kinglet::kernels::avx_vnni
