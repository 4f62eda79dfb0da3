// The pool runs every thread once per region, the barrier joins them, and nothing runs in between.
#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "threads/pool.h"

using kinglet::Barrier;
using kinglet::Error;
using kinglet::ThreadPool;

namespace {

struct Region {
  Barrier barrier;
  uint32_t threads = 0;
  std::vector<std::atomic<int>> visits;
  std::atomic<int> arrived{0};
  std::atomic<int> early{0};

  explicit Region(uint32_t count) : threads(count), visits(count) { barrier.reset(count); }
};

void check_pool(ThreadPool& pool, int regions, int joins) {
  Region region(pool.threads());
  struct Context {
    Region* region;
    int joins;
  } context = {&region, joins};
  for (int i = 0; i < regions; ++i) {
    region.barrier.reset(pool.threads());
    region.arrived = 0;
    pool.run(
        [](void* opaque, uint32_t thread) {
          const Context& context = *static_cast<Context*>(opaque);
          Region& region = *context.region;
          region.visits[thread].fetch_add(1);
          for (int join = 1; join <= context.joins; ++join) {
            region.arrived.fetch_add(1);
            region.barrier.wait();
            if (region.arrived.load() < join * static_cast<int>(region.threads)) {
              region.early.fetch_add(1);
            }
            region.barrier.wait();
          }
        },
        &context);
  }
  for (const std::atomic<int>& visits : region.visits) {
    CHECK(visits.load() == regions);
  }
  CHECK(region.early.load() == 0);
}

}  // namespace

TEST_CASE("every thread runs once per region and no thread passes a join early") {
  for (const uint32_t threads : {1u, 2u, 3u, 8u}) {
    CAPTURE(threads);
    ThreadPool pool;
    Error error;
    REQUIRE(pool.start(threads, error) == KINGLET_OK);
    check_pool(pool, 50, 20);
  }
}

TEST_CASE("regions after the workers have gone to sleep") {
  ThreadPool pool;
  Error error;
  REQUIRE(pool.start(4, error) == KINGLET_OK);
  for (int i = 0; i < 5; ++i) {
    check_pool(pool, 1, 3);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

TEST_CASE("threads of the app's own") {
  kinglet_thread_pool borrowed = {};
  borrowed.threads = 3;
  borrowed.run = [](void*, void (*work)(void*, uint32_t), void* context) {
    std::vector<std::thread> threads;
    for (uint32_t i = 0; i < 3; ++i) {
      threads.emplace_back(work, context, i);
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  };
  ThreadPool pool;
  Error error;
  REQUIRE(pool.borrow(borrowed, error) == KINGLET_OK);
  check_pool(pool, 10, 10);
}

TEST_CASE("refused: no threads, too many threads, a pool without a function") {
  Error error;
  ThreadPool none;
  CHECK(none.start(0, error) == KINGLET_INVALID_ARGUMENT);
  ThreadPool many;
  CHECK(many.start(100'000, error) == KINGLET_INVALID_ARGUMENT);
  ThreadPool empty;
  CHECK(empty.borrow({}, error) == KINGLET_INVALID_ARGUMENT);
  CHECK(std::string(error.message).find("run function") != std::string::npos);
}
