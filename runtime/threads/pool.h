// The threads of a session: its own, or those that the app lends. Nothing here runs between two calls of `run`.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"

namespace kinglet {

// Joins all threads of a parallel region: `wait` returns when every one of them has called it. Spins for at most 50 µs,
// then sleeps. Reusable at once.
class Barrier {
 public:
  // Before a region of `threads` threads begins.
  void reset(uint32_t threads);
  void wait();

 private:
  std::atomic<uint32_t> arrived_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<uint32_t> sleepers_{0};
  uint32_t threads_ = 1;
};

class ThreadPool {
 public:
  using Work = void (*)(void* context, uint32_t thread);

  ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool();

  // Starts `threads` - 1 workers; the caller of `run` is the remaining thread.
  kinglet_status start(uint32_t threads, Error& error);
  // Uses the app's threads instead.
  kinglet_status borrow(const kinglet_thread_pool& pool, Error& error);

  uint32_t threads() const { return threads_; }

  // Calls work(context, i) for every i in [0, threads()), all at the same time, and returns when all have returned.
  void run(Work work, void* context);

 private:
  struct Worker {
    ThreadPool* pool;
    pthread_t thread;
    uint32_t index;
  };
  static void* main(void* worker);
  void loop(uint32_t index);

  uint32_t threads_ = 1;
  kinglet_thread_pool borrowed_ = {};
  Buffer<Worker> workers_;
  uint32_t started_ = 0;
  Work work_ = nullptr;
  void* context_ = nullptr;
  std::atomic<uint32_t> generation_{0};  // one more for every region
  std::atomic<uint32_t> running_{0};     // workers that have not finished the region
  std::atomic<bool> stopping_{false};
};

}  // namespace kinglet
