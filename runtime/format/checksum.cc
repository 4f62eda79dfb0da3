// The lanes and the finish of the checksum. The inner loop is plain code: clang turns it into SIMD, gcc 12
// keeps eight scalar lanes, which is fast enough.
#include "format/checksum.h"

#include <bit>
#include <cstring>

namespace kinglet::format {
namespace {

static_assert(std::endian::native == std::endian::little, "a .kgl file is used where it lies");

constexpr size_t kStripe = 64;

// Multipliers P for which P·2³² − 1 and P·2³¹ − 1 are prime: the largest such number not above the first 32 bits of
// the fraction of √2, √3, √5, …
constexpr uint32_t kMultipliers[8] = {0x6a09e47d, 0xbb67ade3, 0x3c6ef370, 0xa54ff392,
                                      0x510e4e61, 0x9b0563dd, 0x1f83d986, 0x5be0c8d6};

void add_stripes(uint64_t* lanes, const unsigned char* bytes, size_t stripes) {
  uint64_t state[8];
  std::memcpy(state, lanes, sizeof(state));
  for (size_t s = 0; s < stripes; ++s) {
    uint64_t words[8];
    std::memcpy(words, bytes + s * kStripe, kStripe);
    for (size_t i = 0; i < 8; ++i) {
      const uint64_t mixed = state[i] ^ words[i];
      state[i] = static_cast<uint64_t>(static_cast<uint32_t>(mixed)) * kMultipliers[i] + (mixed >> 32);
    }
  }
  std::memcpy(lanes, state, sizeof(state));
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
