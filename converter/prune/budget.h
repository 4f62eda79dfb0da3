// How much of every layer a budget keeps.
#pragma once

#include <cstdint>
#include <vector>

#include "prune/reconstruct.h"

namespace kinglet::convert {

// What a token costs in a head and in a neuron of any layer, in operations or in time, what a layer costs besides, and
// what nothing saves.
struct Costs {
  double head = 0, neuron = 0, layer = 0, rest = 0;
};
// Multiplications per token at texts of `length` tokens.
Costs count_operations(const EncoderLayer& layer, uint32_t hidden, double length);

double cost_of(const Sizes& sizes, const Costs& costs);

// The sizes that cost at most `budget` and leave the least sum of errors; one head and one group of neurons stay in
// every layer that is there (`present`). Throws Error when that costs more already.
Sizes choose_sizes(const std::vector<EncoderLayer>& layers, const Sizes& present, const Orders& orders,
                   const Costs& costs, double budget);

}  // namespace kinglet::convert
