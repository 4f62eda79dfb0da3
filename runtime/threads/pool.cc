#include "threads/pool.h"

#include <time.h>

#include "threads/futex.h"

namespace kinglet {
namespace {

constexpr uint32_t kMaxThreads = 256;
#if defined(__EMSCRIPTEN__) && !defined(__EMSCRIPTEN_PTHREADS__)
constexpr bool kHaveThreads = false;
#else
constexpr bool kHaveThreads = true;
#endif
constexpr int64_t kSpinNanoseconds = 50'000;

int64_t now_nanoseconds() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Spins until *word != value or the time is up; true when it changed.
bool spin_while_equal(const std::atomic<uint32_t>& word, uint32_t value) {
  const int64_t deadline = now_nanoseconds() + kSpinNanoseconds;
  do {
    for (int i = 0; i < 64; ++i) {
      if (word.load(std::memory_order_acquire) != value) {
        return true;
      }
      cpu_pause();
    }
  } while (now_nanoseconds() < deadline);
  return false;
}

}  // namespace

void Barrier::reset(uint32_t threads) {
  threads_ = threads;
  arrived_.store(0, std::memory_order_relaxed);
  sleepers_.store(0, std::memory_order_relaxed);
}

void Barrier::wait() {
  if (threads_ == 1) {
    return;
  }
  const uint32_t generation = generation_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
    arrived_.store(0, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) {
      futex_wake_all(&generation_);
    }
    return;
  }
  if (spin_while_equal(generation_, generation)) {
    return;
  }
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  while (generation_.load(std::memory_order_seq_cst) == generation) {
    futex_wait(&generation_, generation);
  }
  sleepers_.fetch_sub(1, std::memory_order_relaxed);
}

ThreadPool::~ThreadPool() {
  if (started_ == 0) {
    return;
  }
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  futex_wake_all(&generation_);
  for (uint32_t i = 0; i < started_; ++i) {
    pthread_join(workers_[i].thread, nullptr);
  }
}

kinglet_status ThreadPool::start(uint32_t threads, Error& error) {
  if (threads == 0 || threads > kMaxThreads) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "threads: %u is out of range, expected 1 to %u", threads, kMaxThreads);
  }
  if (threads > 1 && !kHaveThreads) {
    return fail(error, KINGLET_UNSUPPORTED, "threads: %u, but this build has no threads; expected 1", threads);
  }
  if (!workers_.allocate(threads - 1)) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory for %u threads", threads);
  }
  for (uint32_t i = 0; i + 1 < threads; ++i) {
    workers_[i].pool = this;
    workers_[i].index = i + 1;
    if (pthread_create(&workers_[i].thread, nullptr, &ThreadPool::main, &workers_[i]) != 0) {
      return fail(error, KINGLET_OUT_OF_MEMORY, "the system has no thread left: %u of %u could be started", i + 1,
                  threads);
    }
    ++started_;
  }
  threads_ = threads;
  return KINGLET_OK;
}

kinglet_status ThreadPool::borrow(const kinglet_thread_pool& pool, Error& error) {
  if (pool.run == nullptr || pool.threads == 0 || pool.threads > kMaxThreads) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "pool: expected a run function and 1 to %u threads", kMaxThreads);
  }
  borrowed_ = pool;
  threads_ = pool.threads;
  return KINGLET_OK;
}

void ThreadPool::run(Work work, void* context) {
  if (borrowed_.run != nullptr) {
    borrowed_.run(borrowed_.self, work, context);
    return;
  }
  if (started_ == 0) {
    work(context, 0);
    return;
  }
  work_ = work;
  context_ = context;
  running_.store(started_, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  futex_wake_all(&generation_);
  work(context, 0);
  for (uint32_t left; (left = running_.load(std::memory_order_acquire)) != 0;) {
    if (!spin_while_equal(running_, left)) {
      futex_wait(&running_, left);
    }
  }
}

void* ThreadPool::main(void* worker) {
  static_cast<Worker*>(worker)->pool->loop(static_cast<Worker*>(worker)->index);
  return nullptr;
}

void ThreadPool::loop(uint32_t index) {
  for (uint32_t seen = 0;;) {
    uint32_t generation;
    while ((generation = generation_.load(std::memory_order_acquire)) == seen) {
      futex_wait(&generation_, seen);
    }
    seen = generation;
    if (stopping_.load(std::memory_order_relaxed)) {
      return;
    }
    work_(context_, index);
    if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      futex_wake_all(&running_);
    }
  }
}

}  // namespace kinglet
