// Work for all processors.
#pragma once

#include <cstddef>
#include <functional>

namespace kinglet::convert {

// How many threads to compute with: those of the machine, 16 at most.
size_t thread_count();

// Calls work(i) for every i in [0, count), at most `threads` at a time (without it: thread_count()). What each call
// writes is its own, so results do not depend on the number of threads. The first exception is thrown on when all have
// ended.
void parallel_for(size_t threads, size_t count, const std::function<void(size_t)>& work);
void parallel_for(size_t count, const std::function<void(size_t)>& work);

}  // namespace kinglet::convert
