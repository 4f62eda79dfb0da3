// Processor time of this thread: other processes do not disturb it.
#pragma once

#include <time.h>

namespace kinglet::kernels {

inline double thread_seconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace kinglet::kernels
