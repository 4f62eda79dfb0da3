// int8 matrix product for AMX (formula and operands: gemm_s8.h). Activations rows_u8. Reads nothing beyond its operands.
// Made for Sapphire Rapids and later.
//
// tdpbusd multiplies a tile of 16 rows × 64 k by a tile of 64 k × 16 outputs in 16 cycles, eight times what vpdpbusd
// does. It wants weights as [k/4][16 outputs][4 k], so up to four universal tile columns, [k/8][16][8], are parted on the
// stack into their even and odd fours, by the first rows that want them, one depth of 64 k ahead of the products:
//
//                      B: four tiles of 16 outputs × 64 k, from the stack
//   A: 16 rows   ──►   C: four sums
//
// Weights of a real model come from the last-level cache or from memory: all rows' depths share the fetching of the next
// columns. The sums of the rows before are corrected, scaled and written while the unit multiplies. Rows are taken 16 at
// a time; the last 16 begin earlier where m is no multiple of 16, and are computed twice. The last k of 64 are narrower
// tiles.
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
constexpr size_t kDepthBytes = 1024;  // 16 outputs × 64 k
constexpr int kSums = 4;             // tiles of sums: as many products are in flight
constexpr size_t kPanelBytes = 65536;
// Where the panel and the tiles' set-up pay: rows, and steps of 16 outputs × 8 k.
constexpr size_t kFewestRows = 13;
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

// What is to be read next, fetched little by little.
struct Ahead {
  const char* next;
  size_t lines;     // left
  size_t per_step;  // for every 16 outputs × 8 k that are parted
  size_t per_depth;  // for every depth that is multiplied

  [[gnu::always_inline]] void fetch(size_t most) {
    for (size_t count = most < lines ? most : lines; count > 0; --count, --lines, next += 64) {
      _mm_prefetch(next, _MM_HINT_T1);
    }
  }
};

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
                                                  const unsigned char* panel) {
  if constexpr (kSum < kSums) {
    constexpr int kLeft = kLast ? kLastA : kA;
    constexpr int kRight = kLast ? kLastB : kB;
    constexpr int kColumns = kSums / kRows;
    if constexpr (kSum % kColumns == 0) {
      load_tile<kLeft>(a[kSum / kColumns] + at, stride);
    }
    load_tile<kRight>(panel + kSum % kColumns * kDepthBytes, 64);
    multiply_add<kSum, kLeft, kRight>();
    multiply_depth<kRows, kSum + 1, kLast>(a, at, stride, panel);
  }
}

// Columns of weights, and their parted form.
struct Panel {
  const int8_t* w;
  size_t column_bytes;
  size_t depths;
  size_t kept;  // depths whose parted form has a place: all, or 2 that take turns
  unsigned char* parted;

  template <int kColumns>
  unsigned char* at(size_t depth) const {
    return parted + (kept == 2 ? depth % 2 : depth) * kColumns * kDepthBytes;
  }

  // [k/8][16][8] to [k/4][16][4] of one depth.
  template <int kColumns>
  [[gnu::always_inline]] void part(size_t depth, Ahead& ahead) const {
    const size_t from = depth * kDepthBytes;
    const size_t bytes = column_bytes - from < kDepthBytes ? column_bytes - from : kDepthBytes;
    unsigned char* to = at<kColumns>(depth);
    for (int t = 0; t < kColumns; ++t, to += kDepthBytes) {
      const int8_t* column = w + t * column_bytes + from;
      for (size_t i = 0; i < bytes; i += kStepBytes) {
        const __m512i low = _mm512_loadu_si512(column + i);
        const __m512i high = _mm512_loadu_si512(column + i + 64);
        ahead.fetch(ahead.per_step);
        _mm512_store_si512(to + i, even_lanes(low, high));
        _mm512_store_si512(to + i + 64, odd_lanes(low, high));
      }
    }
  }
};

// What the outputs of up to four columns need.
struct Outputs {
  __m512i start[kSums];
  Columns columns[kSums];
  size_t first, count;

  void set(const GemmS8& args, size_t first_column, size_t column_count) {
    first = first_column;
    count = column_count;
    for (size_t t = 0; t < count; ++t) {
      const size_t column = first + t * kTileColumns;
      const size_t left = args.n - column;
      const Correction correction = correction_of(args.column_sum + column);
      start[t] = correction.start;
      columns[t] = Columns(correction.pairs, args.column_scale + column,
                           args.bias != nullptr ? args.bias + column : nullptr,
                           static_cast<__mmask16>(left < kTileColumns ? (1u << left) - 1 : 0xFFFF));
    }
  }
};

class Product {
 public:
  explicit Product(const GemmS8& args)
      : args_(args), rows_(args.m < kTileRows ? args.m : kTileRows), depth_((args.k + 7) / 8 * 8) {}

  // All rows times kSums / kRows columns. Their last sums are left to be written by the next call, or by finish().
  template <int kRows>
  void multiply(const Panel& panel, size_t column, Ahead ahead) {
    Outputs& outputs = outputs_[turn_ ^= 1];
    outputs.set(args_, column, kSums / kRows);
    for (size_t next = 0; next < args_.m; next += kRows * kTileRows) {
      const size_t share = (left_ + panel.depths - 1) / panel.depths;
      const unsigned char* a[kRows];
      for (int tile = 0; tile < kRows; ++tile) {
        a[tile] = static_cast<const unsigned char*>(args_.a) + row_of(next, tile) * depth_;
      }
      clear_tile<0>();
      clear_tile<1>();
      clear_tile<2>();
      clear_tile<3>();
      if (next == 0) {
        panel.part<kSums / kRows>(0, ahead);
      }
      for (size_t d = 0; d < panel.depths; ++d) {
        if (next == 0 && d + 1 < panel.depths) {
          panel.part<kSums / kRows>(d + 1, ahead);
        }
        ahead.fetch(ahead.per_depth);
        if ((d + 1) * kDepth <= depth_) {
          multiply_depth<kRows, 0, false>(a, d * kDepth, depth_, panel.at<kSums / kRows>(d));
        } else {
          multiply_depth<kRows, 0, true>(a, d * kDepth, depth_, panel.at<kSums / kRows>(d));
        }
        write(share);
      }
      store_tile<0>(sums_[0]);
      store_tile<1>(sums_[1]);
      store_tile<2>(sums_[2]);
      store_tile<3>(sums_[3]);
      written_ = &outputs;
      written_next_ = next;
      tile_ = row_ = 0;
      left_ = kRows * rows_;
    }
  }

  void finish() { write(left_); }

 private:
  size_t row_of(size_t next, size_t tile) const {
    const size_t row = next + tile * kTileRows;
    return row + rows_ <= args_.m ? row : args_.m - rows_;
  }

  // Corrects, scales and writes the stored sums of so many rows more.
  void write(size_t most) {
    const size_t count = most < left_ ? most : left_;
    left_ -= count;
    switch (count > 0 ? written_->count : 0) {
      case 1: write_columns<1>(count); break;
      case 2: write_columns<2>(count); break;
      case 4: write_columns<4>(count); break;
      default: break;
    }
  }

  template <int kColumns>
  [[gnu::always_inline]] void write_columns(size_t count) {
    for (; count > 0; --count) {
      const size_t row = row_of(written_next_, tile_) + row_;
      const uint32_t zero_points = zero_pair(args_.zero_point[row]);
      const float scale = args_.row_scale[row];
      float* out = args_.out + row * args_.out_stride + written_->first;
#pragma GCC unroll 4
      for (int t = 0; t < kColumns; ++t) {
        const __m512i sum = _mm512_load_si512(sums_[tile_ * kColumns + t][row_]);
        written_->columns[t].write(_mm512_add_epi32(written_->start[t], sum), zero_points, scale,
                                   out + t * kTileColumns);
      }
      if (++row_ == rows_) {
        row_ = 0;
        ++tile_;
      }
    }
  }

  const GemmS8& args_;
  size_t rows_, depth_;
  alignas(64) int32_t sums_[kSums][kTileRows][kTileColumns];
  Outputs outputs_[2];
  int turn_ = 0;
  // The stored sums: of which columns and rows; the next row, and how many are left.
  const Outputs* written_ = nullptr;
  size_t written_next_ = 0, tile_ = 0, row_ = 0, left_ = 0;
};

void multiply(const GemmS8& args) {
  alignas(64) unsigned char parted[kPanelBytes];
  const size_t steps = (args.k + 7) / 8;
  const size_t column_bytes = steps * kStepBytes;
  const size_t depths = (steps * 8 + kDepth - 1) / kDepth;
  const size_t rows = args.m < kTileRows ? args.m : kTileRows;
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  const size_t last_depth = steps * 8 % kDepth;
  const TileConfig config = config_of(rows, last_depth != 0 ? last_depth : kDepth);
  asm volatile("ldtilecfg\t%0" : : "m"(config));
  // All rows at once where that can be: nothing parted is wanted again.
  const bool once = args.m <= 2 * kTileRows;
  const size_t most = once && args.m > kTileRows ? 2 : kSums;
  Product product(args);
  for (size_t tile = 0; tile < tiles;) {
    size_t count = most;
    while (count > tiles - tile || (!once && count * depths * kDepthBytes > kPanelBytes)) {
      count /= 2;
    }
    const Panel panel = {args.w + tile * column_bytes, column_bytes, depths, once ? 2 : depths, parted};
    const size_t lines = count * column_bytes / 64;
    const size_t at_once = kSums / count * kTileRows;
    const size_t passes = (args.m + at_once - 1) / at_once;
    const Ahead ahead = {reinterpret_cast<const char*>(panel.w) + count * column_bytes, lines, passes == 1 ? 2u : 0u,
                         passes == 1 ? 0 : (lines + passes * depths - 1) / (passes * depths)};
    const size_t column = tile * kTileColumns;
    switch (count) {
      case 1: product.multiply<4>(panel, column, ahead); break;
      case 2: product.multiply<2>(panel, column, ahead); break;
      default: product.multiply<1>(panel, column, ahead);
    }
    tile += count;
  }
  product.finish();
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
