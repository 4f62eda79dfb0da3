// Random numbers that are a function of where they are used, so that nothing depends on the order of work.
#pragma once

#include <cstdint>

namespace kinglet::convert {

// SplitMix64's mixing of (seed, a, b).
inline uint64_t random_bits(uint64_t seed, uint64_t a, uint64_t b) {
  uint64_t x = seed + 0x9e3779b97f4a7c15u * (a * 0x100000001b3u + b + 1);
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// In [0, 1).
inline double random_share(uint64_t seed, uint64_t a, uint64_t b) {
  return static_cast<double>(random_bits(seed, a, b) >> 11) * 0x1p-53;
}

}  // namespace kinglet::convert
