// Work for all processors: threads that take the next number.
#include "base/parallel.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace kinglet::convert {

size_t thread_count() {
  constexpr size_t kMost = 16;
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, kMost);
}

void parallel_for(size_t threads, size_t count, const std::function<void(size_t)>& work) {
  std::atomic<size_t> next = 0;
  std::exception_ptr first_error;
  std::mutex mutex;
  const auto loop = [&] {
    try {
      for (size_t i = next++; i < count; i = next++) {
        work(i);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      first_error = first_error ? first_error : std::current_exception();
      next = count;
    }
  };
  std::vector<std::thread> others;
  for (size_t i = 1; i < std::min(threads, count); ++i) {
    others.emplace_back(loop);
  }
  loop();
  for (std::thread& thread : others) {
    thread.join();
  }
  if (first_error) {
    std::rethrow_exception(first_error);
  }
}

void parallel_for(size_t count, const std::function<void(size_t)>& work) {
  parallel_for(thread_count(), count, work);
}

}  // namespace kinglet::convert
