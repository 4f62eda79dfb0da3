// int8 matrix product for AMX (formula and operands: gemm_s8.h). Activations rows_u8. Reads nothing beyond its operands.
// Made for Sapphire Rapids and later.
//
// tdpbusd multiplies a tile of 16 rows × 64 k by a tile of 64 k × 16 outputs in 16 cycles, eight times what vpdpbusd
// does. It wants weights as [k/4][16 outputs][4 k], so up to four universal tile columns, [k/8][16][8], are first parted
// on the stack into their even and odd fours, once for all rows:
//
//                      B: four tiles of 16 outputs × 64 k, from the stack
//   A: 16 rows   ──►   C: four sums
//
// The sums of the rows before are corrected, scaled and written while the unit multiplies. Rows are taken 16 at a time;
// the last 16 begin earlier where m is no multiple of 16, and are computed twice. The last k of 64 are narrower tiles.
#include <cstring>

#include "gemm_s8/avx512.h"

#if !(defined(__AMX_INT8__) || defined(__AMXINT8__)) || !defined(__AVX512VNNI__)  // clang 14 writes AMXINT8
#error "compile with -mamx-tile -mamx-int8 and the flags of avx512_vnni"
#endif

namespace kinglet::kernels {

namespace avx512_vnni {
void gemm_s8(const GemmS8& args);
}

namespace amx_int8 {
namespace {

constexpr size_t kTileRows = 16;
constexpr size_t kTileColumns = 16;
constexpr size_t kDepth = 64;        // k per product
constexpr size_t kStepBytes = 128;   // 16 outputs × 8 k
constexpr int kSums = 4;             // tiles of sums: as many products are in flight
constexpr size_t kPanelBytes = 65536;
// Where the panel and the tiles' set-up pay: rows, and steps of 16 outputs × 8 k.
constexpr size_t kFewestRows = 32;
constexpr size_t kFewestSteps = 128;

// Tile registers: sums 0-3, then these.
constexpr int kA = 4, kLastA = 5, kB = 6, kLastB = 7;

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

TileConfig config_of(size_t rows, size_t last_depth) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.rows[tile] = static_cast<uint8_t>(tile < kB ? rows : 16);
    config.row_bytes[tile] = 64;
  }
  config.row_bytes[kLastA] = static_cast<uint16_t>(last_depth);
  config.rows[kLastB] = static_cast<uint8_t>(last_depth / 4);
  return config;
}

// [k/8][16][8] to [k/4][16][4], of one or more columns; asks for what lies behind them.
void part_columns(const int8_t* w, size_t bytes, bool more, unsigned char* panel) {
  for (size_t at = 0; at < bytes; at += kStepBytes) {
    const __m512i low = _mm512_loadu_si512(w + at);
    const __m512i high = _mm512_loadu_si512(w + at + 64);
    if (more) {
      _mm_prefetch(reinterpret_cast<const char*>(w) + bytes + at, _MM_HINT_T1);
      _mm_prefetch(reinterpret_cast<const char*>(w) + bytes + at + 64, _MM_HINT_T1);
    }
    _mm512_store_si512(panel + at, even_lanes(low, high));
    _mm512_store_si512(panel + at + 64, odd_lanes(low, high));
  }
}

// The instructions by hand, for gcc's intrinsics take no constants but literal ones.
template <int kTile>
[[gnu::always_inline]] inline void load_tile(const void* from, size_t stride) {
  asm volatile("tileloadd\t(%1,%2,1), %%tmm%c0" : : "i"(kTile), "r"(from), "r"(stride) : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void store_tile(int32_t (&to)[kTileRows][kTileColumns]) {
  asm volatile("tilestored\t%%tmm%c0, (%1,%2,1)" : : "i"(kTile), "r"(to), "r"(sizeof to[0]) : "memory");
}
template <int kTile>
[[gnu::always_inline]] inline void clear_tile() {
  asm volatile("tilezero\t%%tmm%c0" : : "i"(kTile));
}
template <int kSum, int kLeft, int kRight>
[[gnu::always_inline]] inline void multiply_add() {
  asm volatile("tdpbusd\t%%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kLeft), "i"(kRight));
}

// A product of 64 k, or of the last ones, into each of 4 sums: kRows A tiles by kSums / kRows B tiles.
template <int kRows, int kSum, bool kLast>
[[gnu::always_inline]] inline void multiply_depth(const unsigned char* const (&a)[kRows], size_t at, size_t stride,
                                                  const unsigned char* panel, size_t panel_stride) {
  if constexpr (kSum < kSums) {
    constexpr int kLeft = kLast ? kLastA : kA;
    constexpr int kRight = kLast ? kLastB : kB;
    constexpr int kColumns = kSums / kRows;
    if constexpr (kSum % kColumns == 0) {
      load_tile<kLeft>(a[kSum / kColumns] + at, stride);
    }
    load_tile<kRight>(panel + at * kTileColumns + kSum % kColumns * panel_stride, 64);
    multiply_add<kSum, kLeft, kRight>();
    multiply_depth<kRows, kSum + 1, kLast>(a, at, stride, panel, panel_stride);
  }
}

// All rows times kSums / kRows columns.
template <int kRows>
void multiply_columns(const GemmS8& args, size_t rows, size_t column, const unsigned char* panel) {
  constexpr int kColumns = kSums / kRows;
  const size_t depth = (args.k + 7) / 8 * 8;
  const size_t panel_stride = depth * kTileColumns;
  alignas(64) int32_t sums[kSums][kTileRows][kTileColumns];
  __m512i start[kColumns];
  Columns columns[kColumns];
#pragma GCC unroll 4
  for (int t = 0; t < kColumns; ++t) {
    const size_t first = column + t * kTileColumns;
    const size_t left = args.n - first;
    const Correction correction = correction_of(args.column_sum + first);
    start[t] = correction.start;
    columns[t] = Columns(correction.pairs, args.column_scale + first, args.bias != nullptr ? args.bias + first : nullptr,
                         static_cast<__mmask16>(left < kTileColumns ? (1u << left) - 1 : 0xFFFF));
  }
  const auto row_of = [&](size_t next, int tile) {
    const size_t row = next + tile * kTileRows;
    return row + rows <= args.m ? row : args.m - rows;
  };
  const auto finish = [&](size_t next) __attribute__((always_inline)) {
    for (int tile = 0; tile < kRows; ++tile) {
      for (size_t r = 0; r < rows; ++r) {
        const size_t row = row_of(next, tile) + r;
        const uint32_t zero_points = zero_pair(args.zero_point[row]);
        const float scale = args.row_scale[row];
        float* out = args.out + row * args.out_stride + column;
#pragma GCC unroll 4
        for (int t = 0; t < kColumns; ++t) {
          columns[t].write(_mm512_add_epi32(start[t], _mm512_load_si512(sums[tile * kColumns + t][r])), zero_points,
                           scale, out + t * kTileColumns);
        }
      }
    }
  };
  constexpr size_t kAtOnce = kRows * kTileRows;
  for (size_t next = 0; next < args.m; next += kAtOnce) {
    const unsigned char* a[kRows];
    for (int tile = 0; tile < kRows; ++tile) {
      a[tile] = static_cast<const unsigned char*>(args.a) + row_of(next, tile) * depth;
    }
    clear_tile<0>();
    clear_tile<1>();
    clear_tile<2>();
    clear_tile<3>();
    size_t k = 0;
    for (; k + kDepth <= depth; k += kDepth) {
      multiply_depth<kRows, 0, false>(a, k, depth, panel, panel_stride);
    }
    if (k < depth) {
      multiply_depth<kRows, 0, true>(a, k, depth, panel, panel_stride);
    }
    if (next > 0) {
      finish(next - kAtOnce);
    }
    store_tile<0>(sums[0]);
    store_tile<1>(sums[1]);
    store_tile<2>(sums[2]);
    store_tile<3>(sums[3]);
  }
  finish((args.m - 1) / kAtOnce * kAtOnce);
}

void multiply(const GemmS8& args) {
  alignas(64) unsigned char panel[kPanelBytes];
  const size_t steps = (args.k + 7) / 8;
  const size_t column_bytes = steps * kStepBytes;
  const size_t rows = args.m < kTileRows ? args.m : kTileRows;
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  const size_t last_depth = steps * 8 % kDepth;
  const TileConfig config = config_of(rows, last_depth != 0 ? last_depth : kDepth);
  asm volatile("ldtilecfg\t%0" : : "m"(config));
  for (size_t tile = 0; tile < tiles;) {
    size_t count = kSums;
    while (count > tiles - tile || count * column_bytes > kPanelBytes) {
      count /= 2;
    }
    part_columns(args.w + tile * column_bytes, count * column_bytes, tile + count < tiles, panel);
    const size_t column = tile * kTileColumns;
    switch (count) {
      case 1: multiply_columns<4>(args, rows, column, panel); break;
      case 2: multiply_columns<2>(args, rows, column, panel); break;
      default: multiply_columns<1>(args, rows, column, panel);
    }
    tile += count;
  }
  asm volatile("tilerelease");
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  const size_t steps = (args.k + 7) / 8;
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  if (args.m < kFewestRows || steps * tiles < kFewestSteps || steps * kStepBytes > kPanelBytes) {
    avx512_vnni::gemm_s8(args);
  } else {
    multiply(args);
  }
}

}  // namespace amx_int8
}  // namespace kinglet::kernels
