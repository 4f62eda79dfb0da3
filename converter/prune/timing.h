// How long calls take here.
#pragma once

#include <cstdint>
#include <vector>

#include "kinglet.hpp"

namespace kinglet::convert {

// The median milliseconds of a call of each model on one sequence of `length` tokens, one thread. The models take
// turns, so that what else the machine does meets all of them, for about `seconds` in all. Throws Error.
std::vector<double> time_calls(const std::vector<const Model*>& models, uint32_t length, double seconds);

}  // namespace kinglet::convert
