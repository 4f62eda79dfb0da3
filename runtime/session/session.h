// What one thread of an app computes with: the plan of a model's program, the memory for it, and its threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/buffer.h"
#include "base/error.h"
#include "fp32/xnnpack.h"
#include "model/model.h"
#include "ops/execute.h"
#include "plan/plan.h"
#include "threads/pool.h"

namespace kinglet {

// Belongs to one thread at a time, except for `cancel`. Nothing allocates after `create`.
class Session {
 public:
  // `model` must outlive the session. Checks every option. `shared_row_cost`: Capacity's.
  kinglet_status create(const Model& model, const kinglet_session_options& options, Error& error,
                        uint32_t shared_row_cost = kSharedRowCost);

  const Model& model() const { return *model_; }
  const Plan& plan() const { return plan_; }
  uint32_t max_length() const { return plan_.capacity().max_length; }
  uint32_t batch() const { return plan_.capacity().sequences; }
  kinglet_offset_unit offset_unit() const { return offset_unit_; }
  std::string_view prompt() const { return prompt_; }
  size_t memory() const { return memory_; }

  // Forgets the sequences that were added.
  void clear() { sequences_ = 0; }
  uint32_t size() const { return sequences_; }
  // Adds one input to the batch: tokenizes and cuts texts, checks ids. `prefix` is put before a text. `index` names the
  // input in messages.
  kinglet_status add(const kinglet_input& input, std::string_view prefix, size_t index, bool* truncated, Error& error);
  // Computes what was added. CANCELLED, NON_FINITE, IO_ERROR.
  kinglet_status run(Error& error);

  // After `run`: a row of a slot that has one per sequence.
  const float* sequence_row(uint32_t slot, uint32_t sequence) const;
  // After `run`: the numbers of a token in an output of the task (Plan::task_output).
  const float* token_row(uint32_t task_output, uint32_t sequence, uint32_t token) const;
  bool all_finite(const float* numbers, size_t count) const { return run_.kernels->all_finite(numbers, count); }
  // After `run` on a session with raw outputs.
  kinglet_status output(size_t sequence, uint32_t index, kinglet_output* view, Error& error) const;

  // Before a call: forgets earlier cancellations. From any thread: ends the call in progress.
  void begin_call() { cancelled_.store(false, std::memory_order_relaxed); }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  kinglet_status allocate(Error& error);
  kinglet_status prepare_xnnpack(Error& error);
  kinglet_status check_ids(const kinglet_input& input, size_t index, Error& error) const;
  void lay_out_batch();
  // region.cc
  void work(uint32_t thread);
  bool stopped() const { return failure_.load(std::memory_order_relaxed) != 0 || cancelled(); }
  uint32_t claim(uint32_t step, uint32_t items, uint32_t thread);
  uint32_t rows_of_stage(const Stage& stage) const;
  Block block_of(const Stage& stage, uint32_t thread, bool shared);
  void run_heads(const Stage& stage, uint32_t thread);
  void run_exclusive(const Stage& stage, uint32_t thread);
  void run_items(Block block, uint32_t first, uint32_t end, uint32_t rows, uint32_t item_rows, uint32_t thread);
  void run_rows(const Stage& stage, uint32_t thread);
  void run_shared(const Stage& stage, uint32_t thread);
  bool collect_outputs();

  const Model* model_ = nullptr;
  Plan plan_;
  ThreadPool pool_;
  Barrier barrier_;
  XnnpackOperators xnnpack_;
  kinglet_offset_unit offset_unit_ = KINGLET_OFFSETS_BYTES;
  std::string_view prompt_;
  size_t memory_ = 0;

  Buffer<uint8_t> arena_;
  Buffer<uint8_t> scratch_;        // the blocks of all threads, then what each needs beside them
  Buffer<uint8_t> results_;        // dense copies of outputs
  Buffer<int32_t> ids_, type_ids_;
  Buffer<uint32_t> begin_, key_begin_, value_begin_;
  Buffer<uint32_t> next_items_;    // [step][thread]: items claimed of the thread's share of a stage or phase
  uint32_t sequences_ = 0;
  Run run_ = {};
  std::atomic<uint32_t> failure_{0};
  std::atomic<bool> cancelled_{false};
};

}  // namespace kinglet
