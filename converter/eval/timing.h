// How long calls take here.
#pragma once

#include <cstdint>
#include <vector>

#include "kinglet.hpp"

namespace kinglet::eval {

struct CallTime {
  double least, median;  // milliseconds
};

// The time of a call of each model's own task on one sequence of `length` tokens, one thread, tokenization not
// included. The models take turns, so that what else the machine does meets all of them, for about `seconds` in all.
// Throws Error.
std::vector<CallTime> time_calls(const std::vector<const Model*>& models, uint32_t length, double seconds);

}  // namespace kinglet::eval
