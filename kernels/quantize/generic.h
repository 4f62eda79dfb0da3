// The quantisers on vectors (formulas: kernels.h).
//
// Range and finiteness come from the floats' bits as integers: the signed maximum with 0 is max(0, x…), the unsigned
// maximum with 0 is min(0, x…) once its sign bit is set, and a NaN or an infinity of either sign surpasses every
// finite number. (The reference's compare-and-select yields the same values; −0 instead of 0 changes no result.)
#pragma once

#include "elementwise/functions.h"
#include "kernels.h"
#include "quantize/layout.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

template <bool kScaled>
struct Row {
  const float* x;
  const float* input_scale;

  template <int N, typename Count>
  KINGLET_INLINE Floats<N> load(size_t j, Count count) const {
    const Floats<N> v = kernels::load<N>(x + j, count);
    if constexpr (kScaled) {
      return v * kernels::load<N>(input_scale + j, count);
    } else {
      return v;
    }
  }
};

// Rows whose ranges are found before any of them is quantised: their divisions are then one vector's, and none waits
// for the end of another's reduction. Few enough for the rows to stay in the first-level cache.
constexpr size_t kRangeRows = 16;
constexpr size_t kRangeFloats = 6144;

template <ActivationLayout kLayout, bool kScaled>
KINGLET_INLINE bool quantize_few_rows(const QuantizeRows& args, size_t first, size_t rows) {
  const auto row = [&](size_t r) KINGLET_INLINE_LAMBDA {
    return Row<kScaled>{args.x + (first + r) * args.stride, args.input_scale};
  };
  float low[kRangeRows] = {}, high[kRangeRows] = {}, inverse[kRangeRows];
  for (size_t r = 0; r < rows; ++r) {
    Ints<32> highs = set_int<32>(0);
    Ints<32> lows = set_int<32>(0);
    for_blocks<32>(args.k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      const Ints<32> bits = bits_of(row(r).template load<32>(j, count));
      highs = signed_max(highs, bits);
      lows = unsigned_max(lows, bits);
    });
    const uint32_t low_bits = largest_unsigned(lows);
    low[r] = low_bits >= 0x80000000u ? float_of(low_bits) : 0.0f;
    high[r] = float_of(static_cast<uint32_t>(largest_signed(highs)));
  }
  const Floats<16> lows = load<16>(low, Full{});
  const Floats<16> range = load<16>(high, Full{}) - lows;
  if (largest_signed(bits_of(absolute(range))) >= 0x7F800000) {  // nor is it finite when `high` or `low` is not
    return false;
  }
  const Ints<16> zero = less(range, set<16>(kSmallestRange));
  const Floats<16> inverses = select(zero, set<16>(0.0f), set<16>(255.0f) / range);
  const Ints<16> shifted = bits_of((set<16>(-128.0f) - lows * inverses) + set<16>(kRound)) - set_int<16>(kRoundBits);
  const Part there = {rows};
  store(inverse, inverses, Full{});
  store(args.scale + first, select(zero, set<16>(0.0f), range / set<16>(255.0f)), there);
  store(reinterpret_cast<float*>(args.zero_point + first), select(zero, set<16>(0.0f), float_of(shifted)), there);
  for (size_t r = 0; r < rows; ++r) {
    unsigned char* q = activation_row<kLayout>(args.q, args.k, first + r);
    const auto offset = static_cast<int32_t>(static_cast<uint32_t>(args.zero_point[first + r]) - kRoundBits);
    for_wide_blocks(args.k, [&](size_t j, auto lanes, auto count) KINGLET_INLINE_LAMBDA {
      constexpr int kLanes = decltype(lanes)::count;
      const Floats<kLanes> scaled = row(r).template load<kLanes>(j, count) * set<kLanes>(inverse[r]);
      const Ints<kLanes> values = bits_of(scaled + set<kLanes>(kRound)) + set_int<kLanes>(offset);
      store_activations<kLayout>(q, j, keep(values, count), count);
    });
  }
  return true;
}

template <ActivationLayout kLayout>
bool quantize_rows(const QuantizeRows& args) {
  const size_t fitting = kRangeFloats / args.k;
  const size_t most = fitting < 1 ? 1 : fitting < kRangeRows ? fitting : kRangeRows;
  for (size_t first = 0; first < args.m; first += most) {
    const size_t rows = args.m - first < most ? args.m - first : most;
    const bool finite = args.input_scale != nullptr ? quantize_few_rows<kLayout, true>(args, first, rows)
                                                    : quantize_few_rows<kLayout, false>(args, first, rows);
    if (!finite) {
      return false;
    }
  }
  clear_missing_rows<kLayout>(args.q, args.m, args.k);
  return true;
}

// The magnitude of a row as bits; not finite from 0x7F800000 on.
KINGLET_INLINE uint32_t largest_magnitude_bits(const float* x, size_t k) {
  Ints<32> magnitudes = set_int<32>(0);
  for_blocks<32>(k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    magnitudes = signed_max(magnitudes, bits_of(absolute(load<32>(x + j, count))));
  });
  return static_cast<uint32_t>(largest_signed(magnitudes));
}

struct Symmetric {
  float inverse[kRangeRows], scale[kRangeRows];
};

// For at most kRangeRows rows; false when one is not finite.
KINGLET_INLINE bool symmetric_rows(const float* x, size_t rows, size_t k, size_t stride, Symmetric& out) {
  float magnitude[kRangeRows] = {};
  for (size_t r = 0; r < rows; ++r) {
    magnitude[r] = float_of(largest_magnitude_bits(x + r * stride, k));
  }
  const Floats<16> magnitudes = load<16>(magnitude, Full{});
  if (largest_signed(bits_of(magnitudes)) >= 0x7F800000) {
    return false;
  }
  const Ints<16> zero = less(magnitudes, set<16>(kSmallestRange));
  store(out.inverse, select(zero, set<16>(0.0f), set<16>(127.0f) / magnitudes), Full{});
  store(out.scale, select(zero, set<16>(0.0f), magnitudes / set<16>(127.0f)), Full{});
  return true;
}

// No clamp is needed: |x|·inverse < 127.5.
template <int N>
KINGLET_INLINE Ints<N> quantized(Floats<N> x, Floats<N> inverse) {
  return bits_of(x * inverse + set<N>(kRound)) - set_int<N>(kRoundBits);
}

template <ActivationLayout kLayout>
bool quantize_queries(const QuantizeQueries& args) {
  for (size_t first = 0; first < args.m; first += kRangeRows) {
    const size_t rows = args.m - first < kRangeRows ? args.m - first : kRangeRows;
    const float* x = args.x + first * args.stride;
    Symmetric s;
    if (!symmetric_rows(x, rows, args.k, args.stride, s)) {
      return false;
    }
    for (size_t r = 0; r < rows; ++r, x += args.stride) {
      unsigned char* q = activation_row<kLayout>(args.q, args.k, first + r);
      for_blocks<32>(args.k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
        store_activations<kLayout>(q, j, quantized(load<32>(x + j, count), set<32>(s.inverse[r])), count);
      });
    }
    store(args.scale + first, load<16>(s.scale, Full{}) * set<16>(args.multiplier), Part{rows});
  }
  clear_missing_rows<kLayout>(args.q, args.m, args.k);
  return true;
}

bool pack_keys(const PackKeys& args) {
  const size_t tile_bytes = round_up(args.k, 8) * 16;
  for (size_t first = 0; first < args.m; first += 16) {
    const size_t rows = args.m - first < 16 ? args.m - first : 16;
    const float* x = args.x + first * args.stride;
    int8_t* tile = args.tile + first / 16 * tile_bytes;
    Symmetric s;
    if (!symmetric_rows(x, rows, args.k, args.stride, s)) {
      return false;
    }
    for (size_t r = 0; r < rows; ++r, x += args.stride, tile += 8) {
      Ints<32> sums = set_int<32>(0);
      for_blocks<32>(args.k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
        const Ints<32> values = quantized(load<32>(x + j, count), set<32>(s.inverse[r]));
        sums = sums + values;
        char bytes[32];
        store_bytes(bytes, values, 0, Full{});
        const size_t end = args.k - j < 32 ? args.k - j : 32;
        for (size_t at = 0; at < end; at += 8) {
          std::memcpy(tile + (j + at) * 16, bytes + at, 8);
        }
      });
      args.sum[first + r] = total(sums);
    }
    for (size_t r = rows; r < 16; ++r, tile += 8) {
      for (size_t k = 0; k < args.k; k += 8) {
        std::memset(tile + k * 16, 0, 8);
      }
      args.sum[first + r] = 0;
    }
    store(args.scale + first, load<16>(s.scale, Full{}), Full{});  // 0 where no key is
  }
  return true;
}

// 16 dimensions at a time; 8 keys of them make one 128-byte step of the tile.
template <typename Count>
KINGLET_INLINE bool pack_16_values(const PackValues& args, const float* x, int8_t* tile, float* scale, int32_t* sum,
                                   Count count) {
  Ints<16> magnitudes = set_int<16>(0);
  for (size_t i = 0; i < args.m; ++i) {
    magnitudes = signed_max(magnitudes, bits_of(absolute(load<16>(x + i * args.stride, count))));
  }
  if (static_cast<uint32_t>(largest_signed(magnitudes)) >= 0x7F800000u) {
    return false;
  }
  const Floats<16> magnitude = float_of(magnitudes);
  const Ints<16> zero = less(magnitude, set<16>(kSmallestRange));
  const Floats<16> inverse = select(zero, set<16>(0.0f), set<16>(127.0f) / magnitude);
  store(scale, select(zero, set<16>(0.0f), magnitude / set<16>(127.0f)), Full{});

  Ints<16> sums = set_int<16>(0);
  const Ints<16> low_byte = set_int<16>(0xFF);
  for (size_t i = 0; i < args.m; i += 8, tile += 128) {
    const auto value = [&](size_t key) KINGLET_INLINE_LAMBDA {
      if (i + key >= args.m) {
        return set_int<16>(0);
      }
      return quantized(load<16>(x + (i + key) * args.stride, count), inverse);
    };
    const auto four_keys = [&](size_t key) KINGLET_INLINE_LAMBDA {
      const Ints<16> q0 = value(key), q1 = value(key + 1), q2 = value(key + 2), q3 = value(key + 3);
      sums = sums + ((q0 + q1) + (q2 + q3));
      return ((q0 & low_byte) | shift_left<8>(q1 & low_byte)) |
             (shift_left<16>(q2 & low_byte) | shift_left<24>(q3));
    };
    const Ints<16> first = four_keys(0);
    store_interleaved(tile, first, four_keys(4));
  }
  store(reinterpret_cast<float*>(sum), float_of(sums), Full{});
  return true;
}

bool pack_values(const PackValues& args) {
  const size_t tile_bytes = round_up(args.m, 8) * 16;
  bool finite = true;
  for_blocks<16>(args.k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    finite = finite && pack_16_values(args, args.x + j, args.tile + j / 16 * tile_bytes, args.scale + j, args.sum + j,
                                      count);
  });
  return finite;
}

}  // namespace
}  // namespace kinglet::kernels
