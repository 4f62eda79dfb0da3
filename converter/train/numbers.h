// Random numbers that are the same everywhere: seeds made of seeds, and normal numbers for new weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace kinglet::train {

// splitmix64 (Steele et al., 2014): one step of it, and a generator.
uint64_t mix_seed(uint64_t seed, uint64_t with);

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  uint64_t below(uint64_t limit);  // 0 … limit − 1
  double uniform();                // [0, 1)

 private:
  uint64_t state_;
};

// `count` numbers of mean 0 and standard deviation `deviation` (Box and Muller, 1958).
std::vector<float> normal_numbers(uint64_t seed, size_t count, double deviation);

// The order of 0 … count − 1 for this seed.
std::vector<size_t> shuffled(size_t count, uint64_t seed);

}  // namespace kinglet::train
