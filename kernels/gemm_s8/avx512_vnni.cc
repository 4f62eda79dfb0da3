// int8 matrix product for AVX-512 VNNI (formula and operands: gemm_s8.h). Activations rows_u8. Reads nothing beyond
// its operands. Made for Cascade Lake, Ice Lake, Sapphire Rapids and Zen 4/5.
//
// One step multiplies 8 k of `kRows` rows by `kTiles` universal tiles (16 outputs × 8 k, two zmm each):
//
//                       tile t, outputs 0-7     tile t, outputs 8-15        a zmm of weights: 8 outputs × 8 k
//                       w[0]                    w[1]                        a row's 8 bytes are broadcast to all 8
//   row 0   a[8] ──►    sums[0][t][0]           sums[0][t][1]               vpdpbusd adds 4 products per int32 lane:
//   row 1   a[8] ──►    sums[1][t][0]           sums[1][t][1]               lanes 2j and 2j + 1 are two partial sums
//    …                                                                     of output j, added after the last k
//
// Register tile: kRows × kTiles × 2 sums ≤ 24 zmm, 2·kTiles weights, 1 broadcast. Few rows run several tiles at once,
// for vpdpbusd needs 10 independent sums (latency 5, two ports).
//
// Weights of a real model come from the last-level cache or from memory, where nothing but an early request hides the
// latency: while a tile is multiplied, its row blocks share the fetching of the next one (after the last tile, of what
// lies behind the matrix: in a model file, mostly the next matrix).
#include "gemm_s8/avx512.h"

#if !defined(__AVX512VNNI__) || !defined(__AVX512BW__) || !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "compile with -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni"
#endif

namespace kinglet::kernels::avx512_vnni {
namespace {

constexpr size_t kMaxRows = 12;
constexpr size_t kTileColumns = 16;
constexpr size_t kStepBytes = 128;  // 16 outputs × 8 k
constexpr size_t kNearBytes = 65536;  // weights up to this size need no prefetching, and all tiles go in one call
constexpr size_t kChunkRows = 132;  // rows that run through all tiles together

// What a block needs of its operands, rows and tiles counted from the block's first.
struct Block {
  const char* a;
  const char* w;
  size_t row_bytes, tile_bytes, steps;
  size_t groups;  // kTiles tiles each, one after the other
  const float* row_scale;
  const uint32_t* zero_pairs;
  const float* column_scale;
  const int32_t* column_sum;
  const float* bias;
  float* out;
  size_t out_stride;
  const char* next;    // what this block fetches ahead of the weights after its tiles; or null
  size_t next_stride;  // bytes of it per step
  __mmask16 last_mask;  // the valid columns of the last tile
};

// Held in a register: gcc 12 otherwise loads a vector again for every row.
[[gnu::always_inline]] inline __m512i load_once(const char* p) {
  __m512i vector = _mm512_loadu_si512(p);
  asm("" : "+v"(vector));
  return vector;
}

// sums += Σ of 4 products of unsigned `rows` and signed `weights` per lane. By hand, for gcc 12 copies the accumulator
// before and after each _mm512_dpbusd_epi32, and then spills.
[[gnu::always_inline]] inline void multiply_add(__m512i& sums, __m512i rows, __m512i weights) {
  asm("vpdpbusd\t{%2, %1, %0|%0, %1, %2}" : "+v"(sums) : "v"(rows), "v"(weights));
}

// The addresses of a block on their way through k: a register per five rows, for x86 scales an index by 1, 2 and 4.
template <int kRows, int kTiles>
struct Walk {
  static constexpr int kBases = (kRows + 4) / 5;
  const char* a[kBases];
  const char* w;
  const char* next;
  size_t row_bytes, three_rows, tile_bytes, half_stride;

  [[gnu::always_inline]] Walk(const Block& block, size_t group)
      : w(block.w + group * kTiles * block.tile_bytes), next(block.next), row_bytes(block.row_bytes),
        three_rows(3 * block.row_bytes), tile_bytes(block.tile_bytes), half_stride(block.next_stride / 2) {
#pragma GCC unroll 3
    for (int i = 0; i < kBases; ++i) {
      a[i] = block.a + 5 * i * row_bytes;
      asm("" : "+r"(a[i]));
    }
    asm("" : "+r"(three_rows));
  }

  // 8 bytes of row r, `kAt` bytes on, to all eight places of a vector. In assembly, for gcc 12 keeps a sum of registers
  // per row, which are more than there are, and moves them to and from vector registers on the multiplier's port.
  template <int kAt>
  [[gnu::always_inline]] __m512i broadcast(int r) const {
    __m512i row;
    const char* base = a[r / 5];
    switch (r % 5) {
      case 0: asm volatile("vpbroadcastq\t%c2(%1), %0" : "=v"(row) : "r"(base), "i"(kAt)); break;
      case 1: asm volatile("vpbroadcastq\t%c3(%1, %2), %0" : "=v"(row) : "r"(base), "r"(row_bytes), "i"(kAt)); break;
      case 2: asm volatile("vpbroadcastq\t%c3(%1, %2, 2), %0" : "=v"(row) : "r"(base), "r"(row_bytes), "i"(kAt)); break;
      case 3: asm volatile("vpbroadcastq\t%c3(%1, %2), %0" : "=v"(row) : "r"(base), "r"(three_rows), "i"(kAt)); break;
      default: asm volatile("vpbroadcastq\t%c3(%1, %2, 4), %0" : "=v"(row) : "r"(base), "r"(row_bytes), "i"(kAt));
    }
    return row;
  }

  template <int kStep>
  [[gnu::always_inline]] void step(__m512i (&sums)[kRows][kTiles][2]) {
    __m512i weights[kTiles][2];
#pragma GCC unroll 4
    for (int t = 0; t < kTiles; ++t) {
      weights[t][0] = load_once(w + t * tile_bytes + kStep * kStepBytes);
      weights[t][1] = load_once(w + t * tile_bytes + kStep * kStepBytes + 64);
    }
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const __m512i row = broadcast<kStep * 8>(r);
#pragma GCC unroll 4
      for (int t = 0; t < kTiles; ++t) {
        multiply_add(sums[r][t][0], row, weights[t][0]);
        multiply_add(sums[r][t][1], row, weights[t][1]);
      }
    }
  }

  // Two lines, or as many pieces of them, for every step that the rows' blocks share among themselves.
  [[gnu::always_inline]] void prefetch(size_t steps) {
    if (next != nullptr) {
      for (size_t s = 0; s < steps; ++s) {
        _mm_prefetch(next, _MM_HINT_T0);
        _mm_prefetch(next + half_stride, _MM_HINT_T0);
        next += 2 * half_stride;
      }
    }
  }

  [[gnu::always_inline]] void advance(size_t count) {
#pragma GCC unroll 3
    for (int i = 0; i < kBases; ++i) {
      a[i] += 8 * count;
    }
    w += kStepBytes * count;
  }
};

// Adds the halves of the sums, corrects them for the zero points, scales, and writes.
template <int kRows, int kTiles>
[[gnu::always_inline]] inline void finish(const Block& block, size_t group, __m512i (&sums)[kRows][kTiles][2]) {
#pragma GCC unroll 4
  for (int t = 0; t < kTiles; ++t) {
    const size_t column = (group * kTiles + t) * kTileColumns;
    const bool last = t == kTiles - 1 && group + 1 == block.groups;
    const Columns columns(correction_of(block.column_sum + column).pairs, block.column_scale + column,
                          block.bias != nullptr ? block.bias + column : nullptr,
                          last ? block.last_mask : static_cast<__mmask16>(0xFFFF));
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      const __m512i sum = _mm512_add_epi32(even_lanes(sums[r][t][0], sums[r][t][1]),
                                           odd_lanes(sums[r][t][0], sums[r][t][1]));
      columns.write(sum, block.zero_pairs[r], block.row_scale[r], block.out + r * block.out_stride + column);
    }
  }
}

template <int kRows, int kTiles>
[[gnu::always_inline]] inline void multiply_group(const Block& block, size_t group) {
  __m512i sums[kRows][kTiles][2];
#pragma GCC unroll 4
  for (int t = 0; t < kTiles; ++t) {
    const __m512i start = correction_of(block.column_sum + (group * kTiles + t) * kTileColumns).start;
    // Partial sum 2j starts with the number, 2j + 1 with 0.
    const __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(start));
    const __m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(start, 1));
#pragma GCC unroll 12
    for (int r = 0; r < kRows; ++r) {
      sums[r][t][0] = low;
      sums[r][t][1] = high;
    }
  }
  Walk<kRows, kTiles> walk(block, group);
  size_t steps = block.steps;
  for (; steps >= 2; steps -= 2) {
    walk.template step<0>(sums);
    walk.template step<1>(sums);
    walk.prefetch(2);
    walk.advance(2);
  }
  if (steps > 0) {
    walk.template step<0>(sums);
  }
  finish<kRows, kTiles>(block, group, sums);
}

template <int kRows, int kTiles>
[[gnu::noinline]] void multiply_block(const Block& block) {
  for (size_t group = 0; group < block.groups; ++group) {
    multiply_group<kRows, kTiles>(block, group);
  }
}

using BlockFunction = void (*)(const Block&);

// [rows − 1]: the block functions for `count` tiles at once.
constexpr BlockFunction kOneTile[kMaxRows] = {
    multiply_block<1, 1>, multiply_block<2, 1>, multiply_block<3, 1>,  multiply_block<4, 1>,
    multiply_block<5, 1>, multiply_block<6, 1>, multiply_block<7, 1>,  multiply_block<8, 1>,
    multiply_block<9, 1>, multiply_block<10, 1>, multiply_block<11, 1>, multiply_block<12, 1>,
};
constexpr BlockFunction kTwoTiles[6] = {
    multiply_block<1, 2>, multiply_block<2, 2>, multiply_block<3, 2>,
    multiply_block<4, 2>, multiply_block<5, 2>, multiply_block<6, 2>,
};
constexpr BlockFunction kFourTiles[2] = {multiply_block<1, 4>, multiply_block<2, 4>};

// All tiles for at most kChunkRows rows.
void multiply_chunk(const GemmS8& args, size_t first_row, size_t m) {
  const size_t steps = (args.k + 7) / 8;
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  const size_t row_blocks = (m + kMaxRows - 1) / kMaxRows;
  const auto last_mask = static_cast<__mmask16>(0xFFFFu >> (tiles * kTileColumns - args.n));
  uint32_t zero_pairs[kChunkRows];
  const bool near = tiles * steps * kStepBytes <= kNearBytes;
  for (size_t i = 0; i < m; ++i) {
    zero_pairs[i] = zero_pair(args.zero_point[first_row + i]);
  }
  size_t starts[kChunkRows / kMaxRows + 1];  // split evenly: 13 = 6 + 7
  for (size_t b = 0; b <= row_blocks; ++b) {
    starts[b] = m * b / row_blocks;
  }
  size_t wanted = 1;  // tiles at once
  if (row_blocks == 1) {
    wanted = m <= 2 ? 4 : m <= 6 ? 2 : 1;
  }
  for (size_t tile = 0; tile < tiles;) {
    size_t count = wanted;
    while (count > tiles - tile) {
      count /= 2;
    }
    const size_t column = tile * kTileColumns;
    const size_t groups = near ? (tiles - tile) / count : 1;
    const size_t next_tile = tile + groups * count;
    const char* next_weights = reinterpret_cast<const char*>(args.w) + next_tile * steps * kStepBytes;
    for (size_t b = 0; b < row_blocks; ++b) {
      const size_t row = starts[b];
      const size_t rows = starts[b + 1] - row;
      const Block block = {
          .a = static_cast<const char*>(args.a) + (first_row + row) * steps * 8,
          .w = reinterpret_cast<const char*>(args.w) + tile * steps * kStepBytes,
          .row_bytes = steps * 8,
          .tile_bytes = steps * kStepBytes,
          .steps = steps,
          .groups = groups,
          .row_scale = args.row_scale + first_row + row,
          .zero_pairs = zero_pairs + row,
          .column_scale = args.column_scale + column,
          .column_sum = args.column_sum + column,
          .bias = args.bias != nullptr ? args.bias + column : nullptr,
          .out = args.out + (first_row + row) * args.out_stride + column,
          .out_stride = args.out_stride,
          .next = near ? nullptr : next_weights + count * steps * kStepBytes * b / row_blocks,
          .next_stride = count * kStepBytes / row_blocks,
          .last_mask = next_tile == tiles ? last_mask : static_cast<__mmask16>(0xFFFF),
      };
      (count == 4 ? kFourTiles : count == 2 ? kTwoTiles : kOneTile)[rows - 1](block);
    }
    tile = next_tile;
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

}  // namespace kinglet::kernels::avx512_vnni
