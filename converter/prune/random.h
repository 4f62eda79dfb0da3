// Random numbers that are a function of where they are used, so that nothing depends on the order of work.
#pragma once

#include <cstdint>

#include "base/random_bits.h"

namespace kinglet::convert {

inline uint64_t random_bits(uint64_t seed, uint64_t a, uint64_t b) {
  return mixed_bits(seed + kGoldenGamma * (a * 0x100000001b3u + b + 1));
}

// In [0, 1).
inline double random_share(uint64_t seed, uint64_t a, uint64_t b) {
  return share_of_bits(random_bits(seed, a, b));
}

}  // namespace kinglet::convert
