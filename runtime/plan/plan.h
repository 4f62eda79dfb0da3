// How a session computes a program: steps over slots of memory, grouped into stages.
//
// The program's ops are lowered to steps (lower.cc). A chain of steps that need only their own rows forms one stage,
// which threads work through block of rows by block of rows, each block passing through all steps while it is in the
// cache (stages.cc). A stage ends where a step needs rows of others: the keys and values of its sequence, or all rows
// of a pool. What lives inside one stage only gets per-thread scratch for one block; what crosses stages gets a place
// in the arena for all rows; both are packed by liveness (layout.cc).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"
#include "kernels.h"
#include "model/model.h"

namespace kinglet {

inline constexpr uint32_t kNone = UINT32_MAX;
// Queries of one head that attention takes at a time: their scores stay in the first-level cache.
inline constexpr uint32_t kQueryRows = 24;

// A row of a block that threads share costs, on its way between their caches, what so many bytes of weights cost to be
// read once more. Measured with two threads of a Xeon (ARCHITECTURE.md, "Threads").
inline constexpr uint32_t kSharedRowCost = 160 << 10;

// What a session is made for.
struct Capacity {
  uint32_t sequences = 1;
  uint32_t max_length = 1;  // tokens per sequence
  uint32_t threads = 1;
  bool raw_outputs = false;
  uint32_t shared_row_cost = kSharedRowCost;

  uint64_t tokens() const { return uint64_t{sequences} * max_length; }
  uint64_t rows(fmt::Extent extent) const { return extent == fmt::Extent::tokens ? tokens() : sequences; }
};

enum class SlotKind : uint8_t {
  rows,       // floats: one row per token or sequence, each padded to 16
  quantized,  // int8 rows with a scale and a zero point each
  keys,       // the key tiles of all sequences and heads, with scales and sums
  values,     // likewise for values
};

// A piece of intermediate memory.
struct Slot {
  SlotKind kind = SlotKind::rows;
  fmt::Extent extent = fmt::Extent::tokens;
  bool local = false;   // per-thread scratch of one block, else in the arena
  bool output = false;  // must survive until the end of the run
  uint32_t width = 0;   // columns; keys and values: head_dim
  uint32_t heads = 0;   // keys and values
  uint32_t first_step = kNone, last_step = 0;
  uint64_t offset = 0;  // bytes from the start of the scratch or the arena

  size_t stride() const { return kernels::round_up(width, 16); }
};

enum class StepKind : uint8_t {
  embed,
  quantize,
  gemm_s8,
  gemm_f32,
  xnnpack,
  activate,
  multiply,
  add_norm,
  pack,
  attend_s8,
  attend_f32,
  pool,
  normalize,
  rotate,
  neighbours,
};

// A matrix resolved to addresses in the mapping.
struct Weights {
  const void* w = nullptr;
  uint32_t n = 0, k = 0;
  const float* scale = nullptr;
  const int32_t* column_sum = nullptr;
  const float* bias = nullptr;
};

struct Step {
  StepKind kind = StepKind::embed;
  // Slots. attend: in = queries, in2 = keys, in3 = values. pack: in = keys, in2 = values (floats), out, out2 = tiles.
  uint32_t in = kNone, in2 = kNone, in3 = kNone, out = kNone, out2 = kNone;
  Weights weights;                       // gemm, xnnpack; add_norm: w is the norm's weight; rotate: its table [n, k]
  const float* input_scale = nullptr;    // quantize
  const fmt::Embed* embed = nullptr;     // embed
  const fmt::Attention* relative = nullptr;  // attend: where it has terms of distance or a window
  uint32_t heads = 0, head_dim = 0;      // attend, pack, rotate
  uint32_t before = 0, after = 0;        // neighbours
  float number = 0;                      // attend: logit_scale; add_norm: epsilon
  bool affine = false;                   // add_norm
  bool fast = false;                     // activate
  kernels::ActivationFunction activation = kernels::ActivationFunction::none;
  kernels::PoolFunction pool = kernels::PoolFunction::first;
  uint32_t xnnpack = kNone;              // index of the prepared operator
  uint64_t work_bytes = 0;               // scratch that the step needs beside its slots
  // In a block that threads share: whether they divide the step's columns, or else its rows; whether all of them must
  // have finished the step before.
  bool by_columns = false;
  bool joins = true;
};

enum class StageKind : uint8_t {
  rows,       // items are blocks of rows
  heads,      // items are (sequence, head)
  exclusive,  // one item, for a library that brings its own threads
};

struct Stage {
  StageKind kind = StageKind::rows;
  fmt::Extent extent = fmt::Extent::tokens;
  uint32_t first_step = 0, step_count = 0;
  uint32_t block_rows = 0;  // the most rows of one item
  // Up to so many rows, threads share one block and divide the columns of the products, so that each weight is read by
  // one of them only.
  uint32_t shared_rows = 0;
};

// An output of the model that the session keeps.
struct PlannedOutput {
  uint32_t slot = kNone;
  int32_t column = -1;
  uint64_t offset = 0;    // where the dense copy lies in the results; unused when `in_place`
  bool in_place = false;  // the slot itself is made dense
  uint32_t width = 0;     // 1 with a column
};

// What the task computes with: `width` columns of a slot of one row per token, from `column` on.
struct TaskOutput {
  uint32_t slot = kNone;
  uint32_t column = 0;
  uint32_t width = 0;
};

// Immutable after `build`.
class Plan {
 public:
  // `model` must outlive the plan. OUT_OF_MEMORY when it does not fit.
  // `use_xnnpack`: fp32 matrices become xnnpack steps, for which the session prepares an operator each.
  kinglet_status build(const Model& model, const kernels::Kernels& kernels, const Capacity& capacity, bool use_xnnpack,
                       Error& error);

  const Capacity& capacity() const { return capacity_; }
  const Buffer<Step>& steps() const { return steps_; }
  const Buffer<Stage>& stages() const { return stages_; }
  const Slot& slot(uint32_t id) const { return slots_[id]; }
  uint32_t xnnpack_count() const { return xnnpack_count_; }
  size_t step_count() const { return step_count_; }
  size_t stage_count() const { return stage_count_; }
  uint64_t arena_bytes() const { return arena_bytes_; }
  // Per thread: the slots of one block, and what attention and embedding need for themselves.
  uint64_t local_bytes() const { return local_bytes_; }
  uint64_t work_bytes() const { return work_bytes_; }
  uint64_t result_bytes() const { return result_bytes_; }
  // Parallel to the model's outputs; slot kNone where the session does not compute one.
  const Buffer<PlannedOutput>& outputs() const { return outputs_; }
  uint32_t embedding_slot() const { return embedding_slot_; }
  uint32_t logits_slot() const { return logits_slot_; }
  // Of the tasks tag, answer and fill_mask (model/task_outputs.h); slot kNone for others.
  const TaskOutput& task_output(uint32_t index) const { return task_outputs_[index]; }
  // The step after the phase of a step: where threads that share a block next wait for one another.
  uint32_t phase_end(uint32_t step) const;
  // What the products of a stage read.
  uint64_t weight_bytes(const Stage& stage) const;
  // Bytes that `rows` rows of a slot take.
  uint64_t slot_bytes(const Slot& slot, uint64_t rows) const;

 private:
  // lower.cc
  kinglet_status lower(const Model& model, Error& error);
  bool mark_needed(const Model& model, Buffer<uint8_t>* needed);
  void lower_op(const Model& model, const fmt::Step& step);
  uint32_t quantized(uint32_t in, const float* input_scale, uint32_t width, fmt::Extent extent);
  uint32_t lower_linear(const Model& model, uint32_t in, uint32_t matrix, fmt::Activation activation, uint32_t out,
                        fmt::Extent extent);
  void lower_attention(const Model& model, const fmt::Attention& op);
  void rotate(const Model& model, const fmt::Attention& op, uint32_t slot);
  void add_norm(const Model& model, uint32_t in, uint32_t residual, int32_t norm, uint32_t out);
  uint32_t add_slot(SlotKind kind, fmt::Extent extent, uint32_t width);
  Step& add_step(StepKind kind);
  // stages.cc
  void group();
  void mark_joins();
  void measure_lifetimes();
  // layout.cc
  struct Life {
    uint32_t first, last;
  };
  Life life_in_block(const Slot& slot) const;
  kinglet_status place(Error& error);
  uint32_t fit_block(Buffer<uint32_t>& order, const Stage& stage, uint64_t most_rows, uint64_t most_bytes,
                     uint64_t* bytes);
  uint64_t choose_block_rows(Buffer<uint32_t>& order, Stage& stage);
  kinglet_status plan_outputs(const Model& model, Error& error);

  const kernels::Kernels* kernels_ = nullptr;
  Capacity capacity_;
  bool use_xnnpack_ = false;
  uint32_t xnnpack_count_ = 0;
  Buffer<Slot> slots_;
  Buffer<Step> steps_;
  Buffer<Stage> stages_;
  Buffer<uint32_t> value_slots_;  // value id → slot
  Buffer<uint32_t> step_stages_;  // step → stage
  Buffer<PlannedOutput> outputs_;
  uint32_t slot_count_ = 0, step_count_ = 0, stage_count_ = 0;
  uint64_t arena_bytes_ = 0, local_bytes_ = 0, work_bytes_ = 0, result_bytes_ = 0;
  uint32_t embedding_slot_ = kNone, logits_slot_ = kNone;
  TaskOutput task_outputs_[2];
};

}  // namespace kinglet
