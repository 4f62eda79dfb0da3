// Runs the steps of a plan over rows. Everything here is called on the threads of a parallel region.
#pragma once

#include <atomic>
#include <cstdint>

#include "kernels.h"
#include "model/model.h"
#include "plan/plan.h"

namespace kinglet {

// The rows of one call: sequences laid end to end, without padding.
struct Batch {
  const int32_t* ids = nullptr;       // [tokens]
  const int32_t* type_ids = nullptr;  // [tokens]
  const uint32_t* begin = nullptr;    // [sequences + 1]: the first row of each sequence
  uint32_t sequences = 0;

  uint32_t tokens() const { return begin[sequences]; }
  uint32_t length(uint32_t sequence) const { return begin[sequence + 1] - begin[sequence]; }
};

enum class Failure : uint32_t { none = 0, non_finite, io, backend };

// One call in progress, shared by its threads.
struct Run {
  const Model* model;
  const Plan* plan;
  const kernels::Kernels* kernels;
  Batch batch;
  const uint32_t* key_begin;    // [sequences + 1]: rows of 16 keys each, rounded up per sequence
  const uint32_t* value_begin;  // [sequences + 1]: likewise rounded up to 8
  uint8_t* arena;
  std::atomic<uint32_t>* failure;

  void report(Failure what) const {
    uint32_t none = 0;
    failure->compare_exchange_strong(none, static_cast<uint32_t>(what), std::memory_order_relaxed);
  }
};

// What one thread computes with: rows [begin, end) of a stage, and its scratch. Of a block that threads share, these
// are rows of its own, whole groups of the layout, or all rows and a part of the columns.
struct Block {
  uint32_t begin = 0, end = 0;
  uint32_t first = 0;     // the row with which the block, hence its scratch, begins
  uint32_t capacity = 0;  // rows that the scratch is laid out for
  uint32_t sharers = 1;   // threads whose scratch the block takes
  uint32_t part = 0, parts = 1;  // of the columns
  uint8_t* locals = nullptr;
  uint8_t* work = nullptr;

  uint32_t rows() const { return end - begin; }
};

// A quantised slot's parts, for the rows of a block.
struct QuantizedRows {
  float* scale;
  int32_t* zero_point;
  uint8_t* data;
};

// The first row of the block in a slot of floats.
float* rows_of(const Run& run, const Block& block, uint32_t slot);
// Row 0 of a slot in the arena.
inline float* arena_rows(const Run& run, uint32_t slot) {
  return reinterpret_cast<float*>(run.arena + run.plan->slot(slot).offset);
}
QuantizedRows quantized_of(const Run& run, const Block& block, uint32_t slot);

// Runs one step over the block's rows. The steps of a block run in order.
void run_step(const Run& run, const Block& block, const Step& step);

// One file each:
void run_embed(const Run& run, const Block& block, const Step& step);
void run_attend_s8(const Run& run, const Block& block, const Step& step);
void run_attend_f32(const Run& run, const Block& block, const Step& step);
void run_attend_relative_s8(const Run& run, const Block& block, const Step& step);
void run_attend_relative_f32(const Run& run, const Block& block, const Step& step);
void run_rotate(const Run& run, const Block& block, const Step& step);
void run_neighbours(const Run& run, const Block& block, const Step& step);
// Packs the keys and values of one head of one sequence.
void run_pack(const Run& run, const Step& step, uint32_t sequence, uint32_t head);

}  // namespace kinglet
