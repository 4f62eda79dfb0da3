// int8 matrix product for AMX (formula and operands: gemm_s8.h). Activations rows_u8. Reads nothing beyond its operands.
// Made for Sapphire Rapids and later.
//
// tdpbusd multiplies a tile of 16 rows × 64 k by a tile of 64 k × 16 outputs in 16 cycles, eight times what vpdpbusd
// does. Four tiles of sums, 0 to 3, are in flight; 4 and 5 are rows, 6 and 7 outputs:
//
//                    64 rows × 16            32 × 32               16 × 64
//                         6                     6  7                  6  7  6  7
//                      4  0                  4  0  1               4  0  1  2  3
//                      5  1                  5  2  3
//                      4  2
//                      5  3
//
// Outputs are wanted as [k/4][16 outputs][4 k]: universal tile columns, [k/8][16][8], are parted on the stack into their
// even and odd fours, one depth of 64 k ahead of the products. Few rows part two depths in turn, which stay in the
// first-level cache; many keep all that they have parted. What bounds both is not the unit but how many lines pass
// between the first- and the second-level cache: hence blocks of k for few rows, whose activations stay in the first
// while outputs take turns.
//
// The sums of the group before are corrected, scaled and written while the unit multiplies. Groups of rows or outputs
// that do not fill their tiles begin earlier, and some sums are computed twice. The last k of 64 are copied to where they
// are padded with zeros.
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
constexpr size_t kDepth = 64;         // k per product
constexpr size_t kStepBytes = 128;    // 16 outputs × 8 k
constexpr size_t kDepthBytes = 1024;  // 16 outputs × 64 k
constexpr size_t kLineBytes = 64;
constexpr size_t kSums = 4;           // tiles of sums
constexpr size_t kUnit = 16;          // vectors of sums that are written in one go
constexpr size_t kGroups = 4;         // of outputs that take turns
constexpr size_t kNearBytes = 24576;  // of activations, for which outputs take turns
constexpr size_t kFewRows = 64;       // up to here nothing parted is kept
constexpr size_t kMostRows = 256;     // of one Product
constexpr size_t kPanelDepths = 64;   // parted depths that can be kept
// Models with matrices this wide both ways mostly come from memory: even few rows must ask early for their weights.
constexpr size_t kFarWidth = 512;
// Where the tiles' set-up pays: rows, and steps of 16 outputs × 8 k.
constexpr size_t kFewestRows = 13;
constexpr size_t kFewestSteps = 128;

struct alignas(64) TileConfig {
  uint8_t palette = 1;
  uint8_t start_row = 0;
  uint8_t reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

TileConfig config_of(size_t rows) {
  TileConfig config;
  for (int tile = 0; tile < 8; ++tile) {
    config.rows[tile] = static_cast<uint8_t>(tile < 6 ? rows : 16);
    config.row_bytes[tile] = 64;
  }
  return config;
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
template <int kSum, int kLeft, int kRight>
[[gnu::always_inline]] inline void multiply_add() {
  asm volatile("tdpbusd\t%%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(kSum), "i"(kLeft), "i"(kRight));
}

// One depth: kRows tiles of rows, `at` bytes on from a[0], a[1] …, by kColumns tiles of outputs from `b`.
template <int kRows, int kColumns, int kSum = 0>
[[gnu::always_inline]] inline void multiply_depth(const unsigned char* const (&a)[kSums], size_t at, size_t stride,
                                                  const unsigned char* b) {
  if constexpr (kSum < kRows * kColumns) {
    constexpr int kRow = kSum / kColumns, kColumn = kSum % kColumns;
    constexpr int kLeft = 4 + kRow % 2, kRight = 6 + kColumn % 2;
    if constexpr (kColumn == 0) {
      load_tile<kLeft>(a[kRow] + at, stride);
    }
    if constexpr (kRow == 0) {
      load_tile<kRight>(b + kColumn * kDepthBytes, 64);
    }
    multiply_add<kSum, kLeft, kRight>();
    multiply_depth<kRows, kColumns, kSum + 1>(a, at, stride, b);
  }
}

// [k/8][16][8] to [k/4][16][4], 8 k.
[[gnu::always_inline]] inline void part_step(const int8_t* from, unsigned char* to) {
  const __m512i low = _mm512_loadu_si512(from);
  const __m512i high = _mm512_loadu_si512(from + 64);
  _mm512_store_si512(to, even_lanes(low, high));
  _mm512_store_si512(to + 64, odd_lanes(low, high));
}
// `bytes` of one depth of a tile column; what is missing of a depth becomes 0. Asks for what lies `ahead` bytes on, if
// that is not 0.
[[gnu::noinline]] void part_depth(const int8_t* from, size_t bytes, unsigned char* to, ptrdiff_t ahead) {
  if (bytes >= kDepthBytes) {
#pragma GCC unroll 4
    for (size_t i = 0; i < kDepthBytes; i += kStepBytes) {
      if (ahead != 0) {
        _mm_prefetch(reinterpret_cast<const char*>(from) + ahead + i, _MM_HINT_T1);
        _mm_prefetch(reinterpret_cast<const char*>(from) + ahead + i + kLineBytes, _MM_HINT_T1);
      }
      part_step(from + i, to + i);
    }
    return;
  }
  size_t i = 0;
  for (; i < bytes; i += kStepBytes) {
    part_step(from + i, to + i);
  }
  for (; i < kDepthBytes; i += 64) {
    _mm512_store_si512(to + i, _mm512_setzero_si512());
  }
}

// What writing kColumns tiles of outputs needs.
template <int kColumns>
struct Outputs {
  Columns columns[kColumns];
  size_t first;  // column

  void set(const GemmS8& args, size_t first_column) {
    first = first_column;
    for (int t = 0; t < kColumns; ++t) {
      const size_t column = first + t * kTileColumns;
      const size_t left = args.n - column;
      columns[t] = Columns(correction_of(args.column_sum + column).pairs, args.column_scale + column,
                           args.bias != nullptr ? args.bias + column : nullptr,
                           static_cast<__mmask16>(left < kTileColumns ? (1u << left) - 1 : 0xFFFF));
    }
  }
};

// The zero points of m rows as pairs, and their last k of 64 where those are no whole depth.
[[gnu::noinline]] void prepare_rows(const GemmS8& args, size_t first_row, size_t m, uint32_t* zero_pairs,
                                    unsigned char (*last_depth)[kDepth]) {
  const size_t row_bytes = (args.k + 7) / 8 * 8;
  const size_t rest = row_bytes % kDepth;
  const auto* last = static_cast<const unsigned char*>(args.a) + (first_row + 1) * row_bytes - rest;
  for (size_t i = 0; i < m; ++i) {
    zero_pairs[i] = zero_pair(args.zero_point[first_row + i]);
    if (rest > 0) {
      _mm512_store_si512(last_depth[i], _mm512_maskz_loadu_epi8((uint64_t{1} << rest) - 1, last + i * row_bytes));
    }
  }
}

// kMostRows rows at most by all outputs, in groups of kColumns tiles of outputs and kSums / kColumns tiles of rows.
template <int kColumns>
class Product {
 public:
  // keep: all parted depths of a group, 2 at least and kPanelDepths at most, for all rows.
  Product(const GemmS8& args, size_t first_row, size_t m, bool keep)
      : args_(args), first_row_(first_row), m_(m), keep_(keep), rows_(m < kTileRows ? m : kTileRows),
        row_bytes_((args.k + 7) / 8 * 8), column_bytes_(row_bytes_ * kTileColumns),
        depths_((row_bytes_ + kDepth - 1) / kDepth), tiles_((args.n + kTileColumns - 1) / kTileColumns),
        row_tiles_((m + kTileRows - 1) / kTileRows), parts_((row_tiles_ + kRowTiles - 1) / kRowTiles),
        turn_tiles_(keep ? kColumns : kGroups * kColumns),
        lines_(keep || (args.n >= kFarWidth && args.k >= kFarWidth) ? (kDepthBytes / kLineBytes + parts_ - 1) / parts_
                                                                    : 0) {
    constexpr size_t kNear = kNearBytes / (kRowTiles * kTileRows * kDepth);
    const size_t blocks = keep ? 1 : (depths_ + kNear - 1) / kNear;
    block_depths_ = (depths_ + blocks - 1) / blocks;
    prepare_rows(args, first_row, m, zero_pairs_, last_depth_);
  }

  void multiply() {
    const TileConfig config = config_of(rows_);
    asm volatile("ldtilecfg\t%0" : : "m"(config));
    Piece piece = {.tile = 0, .depth = 0, .part = 0};
    Piece next = after(piece);
    part(piece, next, 0);
    while (piece.tile < tiles_) {
      const Piece then = after(next);
      if (kColumns == 1 && row_tile(piece.part + 1) - row_tile(piece.part) == 3) {
        multiply_piece<3>(piece, next, then);
      } else {
        multiply_piece<kRowTiles>(piece, next, then);
      }
      piece = next;
      next = then;
    }
    write(units_);
    asm volatile("tilerelease");
  }

 private:
  static constexpr int kRowTiles = kSums / kColumns;

  using Sums = int32_t[kSums][kTileRows][kTileColumns];

  // A group of outputs from `tile` on, a block of k from `depth` on, and rows: one of parts_ parts.
  struct Piece {
    size_t tile, depth, part;
  };

  // The order: groups that take turns, their blocks of k, all rows, all groups.
  Piece after(const Piece& piece) const {
    const size_t first = piece.tile / turn_tiles_ * turn_tiles_;
    const size_t tile = piece.tile + kColumns;
    if (tile < tiles_ && tile < first + turn_tiles_) {
      return {.tile = tile, .depth = piece.depth, .part = piece.part};
    }
    if (piece.depth + block_depths_ < depths_) {
      return {.tile = first, .depth = piece.depth + block_depths_, .part = piece.part};
    }
    if (piece.part + 1 < parts_) {
      return {.tile = first, .depth = 0, .part = piece.part + 1};
    }
    return {.tile = first + turn_tiles_, .depth = 0, .part = 0};
  }

  size_t row_tile(size_t part) const { return row_tiles_ * part / parts_; }
  size_t row_of(size_t row) const { return row + rows_ <= m_ ? row : m_ - rows_; }
  size_t column_of(size_t tile) const { return tile + kColumns <= tiles_ ? tile : tiles_ - kColumns; }
  const int8_t* weights(size_t tile, size_t depth) const {
    return args_.w + tile * column_bytes_ + depth * kDepthBytes;
  }

  // Parts the first depth of a piece, if that is not kept. It is the piece's depth number `done`; the same one of the
  // piece after it is asked for.
  [[gnu::noinline]] void part(const Piece& piece, const Piece& next, size_t done) {
    if ((keep_ && piece.part > 0) || piece.tile >= tiles_) {
      return;
    }
    turn_ ^= 1;
    const int8_t* from = weights(column_of(piece.tile), piece.depth);
    const int8_t* then = weights(next.tile < tiles_ ? column_of(next.tile) : tiles_, next.depth + done);
    const ptrdiff_t ahead = parts_ == 1 && lines_ > 0 ? then - from : 0;
    unsigned char* to = parted_[keep_ ? piece.depth : turn_];
    for (int t = 0; t < kColumns; ++t) {
      part_depth(from + t * column_bytes_, column_bytes_ - piece.depth * kDepthBytes, to + t * kDepthBytes, ahead);
    }
  }

  // Asks for the same depth of the next group; the parts of the rows share its lines.
  [[gnu::always_inline]] void fetch(const Piece& piece) const {
#pragma GCC unroll 1
    for (int t = 0; t < kColumns; ++t) {
      const auto* line = reinterpret_cast<const char*>(weights(piece.tile + kColumns + t, piece.depth)) +
                         piece.part * lines_ * kLineBytes;
#pragma GCC unroll 1
      for (size_t i = 0; i < lines_; ++i) {
        _mm_prefetch(line + i * kLineBytes, _MM_HINT_T1);
      }
    }
  }

  template <int kRows>
  [[gnu::noinline]] void multiply_piece(Piece piece, const Piece& next, const Piece& then) {
    const unsigned char* a[kSums];
    const unsigned char* last[kSums];
    size_t rows[kSums];
    for (int t = 0; t < kRows; ++t) {
      rows[t] = row_of((row_tile(piece.part) + t) * kTileRows);
      a[t] = static_cast<const unsigned char*>(args_.a) + (first_row_ + rows[t]) * row_bytes_;
      last[t] = last_depth_[rows[t]];
    }
    Sums& sums = sums_[block_depths_ < depths_ ? piece.tile / kColumns % kGroups : 0];
    load_sums(sums, piece);
    const size_t first = piece.depth;
    const size_t end = depths_ - piece.depth < block_depths_ ? depths_ : piece.depth + block_depths_;
    const size_t share = (units_ + end - piece.depth - 1) / (end - piece.depth);
    while (piece.depth < end) {
      const size_t depth = piece.depth;
      const unsigned char* b = parted_[keep_ ? depth : turn_];
      if (parts_ > 1) {
        fetch(piece);
      }
      ++piece.depth;
      if (piece.depth < end) {
        part(piece, next, piece.depth - first);
      } else {
        part(next, then, 0);
      }
      if (piece.depth * kDepth <= row_bytes_) {
        multiply_depth<kRows, kColumns>(a, depth * kDepth, row_bytes_, b);
      } else {
        multiply_depth<kRows, kColumns>(last, 0, kDepth, b);
      }
      write(share);
    }
    write(units_);
    store_tile<0>(sums[0]);
    store_tile<1>(sums[1]);
    store_tile<2>(sums[2]);
    if constexpr (kRows * kColumns > 3) {
      store_tile<3>(sums[3]);
    }
    if (end == depths_) {
      outputs_.set(args_, column_of(piece.tile) * kTileColumns);
      written_ = &sums;
      for (int t = 0; t < kRows; ++t) {
        written_rows_[t] = rows[t];
      }
      unit_ = 0;
      units_ = (kRows * kColumns * rows_ + kUnit - 1) / kUnit;
    }
  }

  // What the blocks of k before have summed, or −128·Σ w.
  [[gnu::always_inline]] void load_sums(const Sums& sums, const Piece& piece) const {
    __m512i start[kColumns];
    const void* from[kSums] = {sums[0], sums[1], sums[2], sums[3]};
    size_t stride = sizeof sums[0][0];
    if (piece.depth == 0) {
      for (int t = 0; t < kColumns; ++t) {
        start[t] = correction_of(args_.column_sum + (column_of(piece.tile) + t) * kTileColumns).start;
      }
      for (size_t s = 0; s < kSums; ++s) {
        from[s] = &start[s % kColumns];
      }
      stride = 0;
    }
    load_tile<0>(from[0], stride);
    load_tile<1>(from[1], stride);
    load_tile<2>(from[2], stride);
    load_tile<3>(from[3], stride);
  }

  // Corrects, scales and writes so many more units of the stored sums: kUnit / kColumns rows each.
  [[gnu::noinline]] void write(size_t most) {
    for (size_t count = most < units_ ? most : units_; count > 0; --count) {
      write_unit();
    }
  }

  [[gnu::always_inline]] void write_unit() {
    constexpr size_t kRows = kUnit / kColumns;
    const size_t tile = unit_ * kRows / kTileRows;
    size_t in_tile = unit_ * kRows % kTileRows;
    if (in_tile + kRows > rows_) {
      in_tile = rows_ - kRows;
    }
    const size_t row = written_rows_[tile] + in_tile;
    const auto* sums = &(*written_)[tile * kColumns][in_tile];
    const uint32_t* pairs = zero_pairs_ + row;
    const float* scale = args_.row_scale + first_row_ + row;
    const size_t stride = args_.out_stride;
    float* out = args_.out + (first_row_ + row) * stride + outputs_.first;
    Columns columns[kColumns];
#pragma GCC unroll 4
    for (int t = 0; t < kColumns; ++t) {
      columns[t] = outputs_.columns[t];
    }
#pragma GCC unroll 2
    for (size_t r = 0; r < kRows; ++r, out += stride) {
#pragma GCC unroll 4
      for (int t = 0; t < kColumns; ++t) {
        columns[t].write(_mm512_load_si512(sums + t * kTileRows + r), pairs[r], scale[r], out + t * kTileColumns);
      }
    }
    ++unit_;
    --units_;
  }

  const GemmS8& args_;
  const size_t first_row_, m_;
  const bool keep_;
  const size_t rows_;  // of a tile
  const size_t row_bytes_, column_bytes_, depths_, tiles_, row_tiles_, parts_, turn_tiles_;
  const size_t lines_;  // asked for per tile column, depth and part
  size_t block_depths_;
  size_t turn_ = 0;  // of the two parted depths
  // The sums to be written: of which outputs and rows, the next unit, and how many are left.
  const Sums* written_ = nullptr;
  Outputs<kColumns> outputs_;
  size_t written_rows_[kSums];
  size_t unit_ = 0, units_ = 0;
  uint32_t zero_pairs_[kMostRows];
  alignas(64) Sums sums_[kGroups];
  alignas(64) unsigned char parted_[kPanelDepths / kColumns][kColumns * kDepthBytes];
  alignas(64) unsigned char last_depth_[kMostRows][kDepth];
};

template <int kColumns>
[[gnu::noinline]] void multiply(const GemmS8& args, bool keep) {
  const size_t most = keep ? kMostRows : kFewRows;
  const size_t calls = (args.m + most - 1) / most;
  for (size_t call = 0; call < calls; ++call) {
    const size_t row = args.m * call / calls;
    Product<kColumns>(args, row, args.m * (call + 1) / calls - row, keep).multiply();
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  const size_t steps = (args.k + 7) / 8;
  const size_t tiles = (args.n + kTileColumns - 1) / kTileColumns;
  const size_t depths = (args.k + kDepth - 1) / kDepth;
  const bool keep = args.m > kFewRows && depths >= 2 && depths <= kPanelDepths;
  if (args.m < kFewestRows || tiles < kSums || steps * tiles < kFewestSteps) {
    avx512_vnni::gemm_s8(args);
  } else if (args.m <= kTileRows || (keep && depths <= kPanelDepths / 4)) {
    multiply<4>(args, keep);
  } else if (args.m <= 2 * kTileRows || (keep && depths <= kPanelDepths / 2)) {
    multiply<2>(args, keep);
  } else {
    multiply<1>(args, keep);
  }
}

}  // namespace amx_int8
}  // namespace kinglet::kernels
