// Time that goes on evenly.
#pragma once

#include <chrono>

namespace kinglet::convert {

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point then) {
  return std::chrono::duration<double>(Clock::now() - then).count();
}

inline double milliseconds_since(Clock::time_point then) {
  return 1e3 * seconds_since(then);
}

}  // namespace kinglet::convert
