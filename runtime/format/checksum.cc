// The lanes and the finish of the checksum. Two lanes per vector where every processor of a family has them, by hand, for
// gcc 12 keeps eight scalar lanes, which take nearly twice as long.
#include "format/checksum.h"

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace kinglet::format {
namespace {

static_assert(std::endian::native == std::endian::little, "a .kgl file is used where it lies");

constexpr size_t kStripe = 64;

// Multipliers P for which P·2³² − 1 and P·2³¹ − 1 are prime: the largest such number not above the first 32 bits of
// the fraction of √2, √3, √5, …
constexpr uint32_t kMultipliers[8] = {0x6a09e47d, 0xbb67ade3, 0x3c6ef370, 0xa54ff392,
                                      0x510e4e61, 0x9b0563dd, 0x1f83d986, 0x5be0c8d6};

#if defined(__SSE2__)

using Lanes = __m128i;
Lanes load_lanes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
void store_lanes(uint64_t* p, Lanes lanes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), lanes); }
Lanes multipliers(size_t i) { return _mm_set_epi64x(kMultipliers[i + 1], kMultipliers[i]); }
Lanes mix(Lanes lanes, Lanes words, Lanes multipliers) {
  const __m128i mixed = _mm_xor_si128(lanes, words);
  return _mm_add_epi64(_mm_mul_epu32(mixed, multipliers), _mm_srli_epi64(mixed, 32));
}
constexpr size_t kVectors = 4;

#elif defined(__ARM_NEON)

using Lanes = uint64x2_t;
Lanes load_lanes(const void* p) { return vreinterpretq_u64_u8(vld1q_u8(static_cast<const uint8_t*>(p))); }
void store_lanes(uint64_t* p, Lanes lanes) { vst1q_u64(p, lanes); }
uint32x2_t multipliers(size_t i) { return vld1_u32(kMultipliers + i); }
Lanes mix(Lanes lanes, Lanes words, uint32x2_t multipliers) {
  const uint64x2_t mixed = veorq_u64(lanes, words);
  return vmlal_u32(vshrq_n_u64(mixed, 32), vmovn_u64(mixed), multipliers);
}
constexpr size_t kVectors = 4;

#else

using Lanes = uint64_t;
Lanes load_lanes(const void* p) {
  uint64_t word;
  std::memcpy(&word, p, sizeof(word));
  return word;
}
void store_lanes(uint64_t* p, Lanes lanes) { *p = lanes; }
uint64_t multipliers(size_t i) { return kMultipliers[i]; }
Lanes mix(Lanes lanes, Lanes words, uint64_t multiplier) {
  const uint64_t mixed = lanes ^ words;
  return static_cast<uint64_t>(static_cast<uint32_t>(mixed)) * multiplier + (mixed >> 32);
}
constexpr size_t kVectors = 8;

#endif

void add_stripes(uint64_t* lanes, const unsigned char* bytes, size_t stripes) {
  constexpr size_t kLanes = 8 / kVectors;
  Lanes state[kVectors];
  decltype(multipliers(0)) factors[kVectors];
  for (size_t i = 0; i < kVectors; ++i) {
    state[i] = load_lanes(lanes + i * kLanes);
    factors[i] = multipliers(i * kLanes);
  }
  for (size_t s = 0; s < stripes; ++s) {
    for (size_t i = 0; i < kVectors; ++i) {
      state[i] = mix(state[i], load_lanes(bytes + s * kStripe + i * kLanes * 8), factors[i]);
    }
  }
  for (size_t i = 0; i < kVectors; ++i) {
    store_lanes(lanes + i * kLanes, state[i]);
  }
}

}  // namespace

void Checksum::add(const void* data, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  const size_t stripes = size / kStripe;
  add_stripes(lanes_, bytes, stripes);
  if (const size_t rest = size % kStripe; rest != 0) {
    unsigned char last[kStripe] = {};
    std::memcpy(last, bytes + stripes * kStripe, rest);
    add_stripes(lanes_, last, 1);
  }
  size_ += size;
}

uint64_t Checksum::finish() const {
  uint64_t hash = size_ * 0x9e3779b97f4a7c15;
  for (const uint64_t lane : lanes_) {
    hash = (hash ^ lane) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  hash *= 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 32);
}

uint64_t checksum(const void* data, size_t size) {
  Checksum sum;
  sum.add(data, size);
  return sum.finish();
}

}  // namespace kinglet::format
