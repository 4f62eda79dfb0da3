// splitmix64 and what is made of it.
#include "train/numbers.h"

#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "base/random_bits.h"

namespace kinglet::train {

uint64_t Random::next() {
  state_ += convert::kGoldenGamma;
  return convert::mixed_bits(state_);
}

uint64_t Random::below(uint64_t limit) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * limit) >> 64);
}

double Random::uniform() {
  return convert::share_of_bits(next());
}

uint64_t mix_seed(uint64_t seed, uint64_t with) {
  Random random(seed ^ (with * 0xd1342543de82ef95 + 0x2545f4914f6cdd1d));
  return random.next();
}

std::vector<float> normal_numbers(uint64_t seed, size_t count, double deviation) {
  Random random(seed);
  std::vector<float> numbers;
  numbers.reserve(count + 1);
  while (numbers.size() < count) {
    const double radius = deviation * std::sqrt(-2 * std::log(1 - random.uniform()));
    const double angle = 2 * std::numbers::pi * random.uniform();
    numbers.push_back(static_cast<float>(radius * std::cos(angle)));
    numbers.push_back(static_cast<float>(radius * std::sin(angle)));
  }
  numbers.resize(count);
  return numbers;
}

std::vector<size_t> shuffled(size_t count, uint64_t seed) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  Random random(seed);
  for (size_t i = count; i > 1; --i) {
    std::swap(order[i - 1], order[random.below(i)]);
  }
  return order;
}

}  // namespace kinglet::train
