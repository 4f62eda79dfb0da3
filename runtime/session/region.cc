// What every thread of a parallel region does: it walks through all stages, claims items of each, and waits for the
// others where the next stage or phase begins.
#include "base/fp_environment.h"
#include "session/session.h"

namespace kinglet {
namespace {

// Rows below which splitting a block between threads costs more than it gains.
constexpr uint32_t kLeastRowsPerItem = 4;
// Of columns, per thread of a shared block: a thread on a slow core leaves one to others.
constexpr uint32_t kColumnItemsPerThread = 2;

// Rows per item of a stage: blocks that fit the cache, as many for every thread, all about equally long.
uint32_t rows_per_item(uint32_t rows, uint32_t block_rows, uint32_t threads) {
  uint32_t items = (rows + block_rows - 1) / block_rows;
  if (threads > 1 && rows > kLeastRowsPerItem) {
    items = (items + threads - 1) / threads * threads;
  }
  return (rows + items - 1) / items;
}

}  // namespace

void Session::work(uint32_t thread) {
  const FpEnvironment environment;
  for (uint32_t i = 0; i < plan_.stage_count(); ++i) {
    const Stage& stage = plan_.stages()[i];
    switch (stage.kind) {
      case StageKind::heads: run_heads(stage, thread); break;
      case StageKind::exclusive: run_exclusive(stage, thread); break;
      case StageKind::rows:
        rows_of_stage(stage) <= stage.shared_rows ? run_shared(stage, thread) : run_rows(stage, thread);
        break;
    }
    barrier_.wait();
  }
}

// The next item that no thread has claimed, or kNone. Each thread begins with its own share, the same in every stage,
// so that it finds in its cache what it wrote; then it takes from the others.
uint32_t Session::claim(uint32_t step, uint32_t items, uint32_t thread) {
  const uint32_t threads = pool_.threads();
  for (uint32_t i = 0; i < threads; ++i) {
    const uint32_t owner = thread + i < threads ? thread + i : thread + i - threads;
    const auto first = static_cast<uint32_t>(uint64_t{items} * owner / threads);
    const auto end = static_cast<uint32_t>(uint64_t{items} * (owner + 1) / threads);
    uint32_t* next = &next_items_[size_t{step} * threads + owner];
    if (first + __atomic_load_n(next, __ATOMIC_RELAXED) < end) {
      const uint32_t item = first + __atomic_fetch_add(next, 1, __ATOMIC_RELAXED);
      if (item < end) {
        return item;
      }
    }
  }
  return kNone;
}

uint32_t Session::rows_of_stage(const Stage& stage) const {
  return stage.extent == fmt::Extent::tokens ? run_.batch.tokens() : sequences_;
}

Block Session::block_of(const Stage& stage, uint32_t thread, bool shared) {
  Block block;
  block.sharers = shared ? pool_.threads() : 1;
  block.capacity = stage.block_rows * block.sharers;
  block.locals = scratch_.data() + (shared ? 0 : thread * plan_.local_bytes());
  block.work = scratch_.data() + pool_.threads() * plan_.local_bytes() + thread * plan_.work_bytes();
  return block;
}

void Session::run_heads(const Stage& stage, uint32_t thread) {
  const Step& step = plan_.steps()[stage.first_step];
  const uint32_t items = sequences_ * step.heads;
  for (uint32_t item; !stopped() && (item = claim(stage.first_step, items, thread)) != kNone;) {
    run_pack(run_, step, item / step.heads, item % step.heads);
  }
}

void Session::run_exclusive(const Stage& stage, uint32_t thread) {
  const Step& step = plan_.steps()[stage.first_step];
  if (!stopped() && claim(stage.first_step, 1, thread) == 0 &&
      !xnnpack_.run(step.xnnpack, arena_rows(run_, step.in), rows_of_stage(stage), arena_rows(run_, step.out))) {
    run_.report(Failure::backend);
  }
}

// Runs steps [first, end) of a stage on items of up to `item_rows` rows by one part of the block's columns.
void Session::run_items(Block block, uint32_t first, uint32_t end, uint32_t rows, uint32_t item_rows,
                        uint32_t thread) {
  const uint32_t items = (rows + item_rows - 1) / item_rows * block.parts;
  for (uint32_t item; !stopped() && (item = claim(first, items, thread)) != kNone;) {
    block.part = item % block.parts;
    block.begin = item / block.parts * item_rows;
    block.end = rows - block.begin < item_rows ? rows : block.begin + item_rows;
    block.first = block.sharers == 1 ? block.begin : 0;
    for (uint32_t i = first; i < end; ++i) {
      run_step(run_, block, plan_.steps()[i]);
    }
  }
}

void Session::run_rows(const Stage& stage, uint32_t thread) {
  const uint32_t rows = rows_of_stage(stage);
  run_items(block_of(stage, thread, false), stage.first_step, stage.first_step + stage.step_count, rows,
            rows_per_item(rows, stage.block_rows, pool_.threads()), thread);
}

// Phase by phase, each divided by rows or by columns.
void Session::run_shared(const Stage& stage, uint32_t thread) {
  const uint32_t rows = rows_of_stage(stage);
  const uint32_t threads = pool_.threads();
  const size_t group = kernels::rows_per_group(run_.kernels->layout);
  const auto item_rows = static_cast<uint32_t>(kernels::round_up((rows + threads - 1) / threads, group));
  const uint32_t end = stage.first_step + stage.step_count;
  Block block = block_of(stage, thread, true);
  for (uint32_t first = stage.first_step, next; first < end; first = next) {
    if (first > stage.first_step) {
      barrier_.wait();
    }
    next = plan_.phase_end(first);
    const bool by_columns = plan_.steps()[first].by_columns;
    block.parts = by_columns ? threads * kColumnItemsPerThread : 1;
    run_items(block, first, next, rows, by_columns ? rows : item_rows, thread);
  }
}

}  // namespace kinglet
