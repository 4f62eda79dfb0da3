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

template <ActivationLayout kLayout, bool kScaled>
KINGLET_INLINE bool quantize_row(Row<kScaled> row, size_t k, unsigned char* q, float& scale, int32_t& zero_point) {
  Ints<32> highs = set_int<32>(0);
  Ints<32> lows = set_int<32>(0);
  for_blocks<32>(k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Ints<32> bits = bits_of(row.template load<32>(j, count));
    highs = signed_max(highs, bits);
    lows = unsigned_max(lows, bits);
  });
  const uint32_t low_bits = largest_unsigned(lows);
  const float high = float_of(static_cast<uint32_t>(largest_signed(highs)));
  const float low = low_bits >= 0x80000000u ? float_of(low_bits) : 0.0f;
  const float range = high - low;
  if (!is_finite(range)) {  // nor is it when `high` or `low` is not
    return false;
  }
  const bool zero = range < kSmallestRange;
  const float inverse = zero ? 0.0f : 255.0f / range;
  const int32_t zero_at = zero ? 0 : round_to_int(-128.0f - low * inverse);
  for_wide_blocks(k, [&](size_t j, auto lanes, auto count) KINGLET_INLINE_LAMBDA {
    constexpr int kLanes = decltype(lanes)::count;
    const Ints<kLanes> shifted =
        bits_of(row.template load<kLanes>(j, count) * set<kLanes>(inverse) + set<kLanes>(kRound));
    const Ints<kLanes> values =
        shifted + set_int<kLanes>(static_cast<int32_t>(static_cast<uint32_t>(zero_at) - kRoundBits));
    store_activations<kLayout>(q, j, keep(values, count), count);
  });
  scale = zero ? 0.0f : range / 255.0f;
  zero_point = zero_at;
  return true;
}

template <ActivationLayout kLayout>
bool quantize_rows(const QuantizeRows& args) {
  for (size_t i = 0; i < args.m; ++i) {
    unsigned char* q = activation_row<kLayout>(args.q, args.k, i);
    const float* x = args.x + i * args.stride;
    const bool finite =
        args.input_scale != nullptr
            ? quantize_row<kLayout>(Row<true>{x, args.input_scale}, args.k, q, args.scale[i], args.zero_point[i])
            : quantize_row<kLayout>(Row<false>{x, nullptr}, args.k, q, args.scale[i], args.zero_point[i]);
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
  float inverse, scale;
};

KINGLET_INLINE Symmetric symmetric(float magnitude) {
  return magnitude < kSmallestRange ? Symmetric{0.0f, 0.0f} : Symmetric{127.0f / magnitude, magnitude / 127.0f};
}

// No clamp is needed: |x|·inverse < 127.5.
template <int N>
KINGLET_INLINE Ints<N> quantized(Floats<N> x, Floats<N> inverse) {
  return bits_of(x * inverse + set<N>(kRound)) - set_int<N>(kRoundBits);
}

template <ActivationLayout kLayout>
bool quantize_queries(const QuantizeQueries& args) {
  for (size_t i = 0; i < args.m; ++i) {
    unsigned char* q = activation_row<kLayout>(args.q, args.k, i);
    const float* x = args.x + i * args.stride;
    const uint32_t magnitude = largest_magnitude_bits(x, args.k);
    if (magnitude >= 0x7F800000u) {
      return false;
    }
    const Symmetric s = symmetric(float_of(magnitude));
    for_blocks<32>(args.k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      store_activations<kLayout>(q, j, quantized(load<32>(x + j, count), set<32>(s.inverse)), count);
    });
    args.scale[i] = s.scale * args.multiplier;
  }
  clear_missing_rows<kLayout>(args.q, args.m, args.k);
  return true;
}

bool pack_keys(const PackKeys& args) {
  const size_t tile_bytes = round_up(args.k, 8) * 16;
  for (size_t i = 0; i < round_up(args.m, 16); ++i) {
    int8_t* tile = args.tile + i / 16 * tile_bytes + i % 16 * 8;
    if (i >= args.m) {
      for (size_t k = 0; k < args.k; k += 8) {
        std::memset(tile + k * 16, 0, 8);
      }
      args.scale[i] = 0.0f;
      args.sum[i] = 0;
      continue;
    }
    const float* x = args.x + i * args.stride;
    const uint32_t magnitude = largest_magnitude_bits(x, args.k);
    if (magnitude >= 0x7F800000u) {
      return false;
    }
    const Symmetric s = symmetric(float_of(magnitude));
    Ints<32> sums = set_int<32>(0);
    for_blocks<32>(args.k, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      const Ints<32> values = quantized(load<32>(x + j, count), set<32>(s.inverse));
      sums = sums + values;
      char bytes[32];
      store_bytes(bytes, values, 0, Full{});
      const size_t end = args.k - j < 32 ? args.k - j : 32;
      for (size_t at = 0; at < end; at += 8) {
        std::memcpy(tile + (j + at) * 16, bytes + at, 8);
      }
    });
    args.scale[i] = s.scale;
    args.sum[i] = total(sums);
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
