// SplitMix64 (Steele et al., 2014), the core of all random numbers of the converter: the same everywhere.
#pragma once

#include <cstdint>

namespace kinglet::convert {

inline constexpr uint64_t kGoldenGamma = 0x9e3779b97f4a7c15;

// Its output function.
inline uint64_t mixed_bits(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// In [0, 1).
inline double share_of_bits(uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace kinglet::convert
