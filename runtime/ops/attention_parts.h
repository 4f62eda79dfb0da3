// What the kinds of attention share: where packed keys and values lie, and how the rows of a block are walked.
#pragma once

#include "ops/execute.h"
#include "plan/attention_work.h"

namespace kinglet {

inline constexpr int32_t kProbabilityZero = -128;

// Where the packed keys or values of one head of one sequence lie in their slot: all tiles first, then all scales, then
// all sums.
struct Packed {
  int8_t* tile;
  float* scale;
  int32_t* sum;
};

inline Packed packed_keys(const Run& run, uint32_t id, uint32_t sequence, uint32_t head) {
  const Slot& slot = run.plan->slot(id);
  const Capacity& capacity = run.plan->capacity();
  const uint64_t all = uint64_t{capacity.sequences} * kernels::round_up(capacity.max_length, 16) * slot.heads;
  const uint64_t length = run.key_begin[sequence + 1] - run.key_begin[sequence];
  const uint64_t first = uint64_t{run.key_begin[sequence]} * slot.heads + head * length;
  uint8_t* base = run.arena + slot.offset;
  const uint64_t tile_bytes = all * kernels::round_up(slot.width, 8);
  return {reinterpret_cast<int8_t*>(base) + first * kernels::round_up(slot.width, 8),
          reinterpret_cast<float*>(base + tile_bytes) + first,
          reinterpret_cast<int32_t*>(base + tile_bytes + all * sizeof(float)) + first};
}

inline Packed packed_values(const Run& run, uint32_t id, uint32_t sequence, uint32_t head) {
  const Slot& slot = run.plan->slot(id);
  const Capacity& capacity = run.plan->capacity();
  const uint64_t width = kernels::round_up(slot.width, 16);
  const uint64_t tile_bytes =
      uint64_t{capacity.sequences} * kernels::round_up(capacity.max_length, 8) * slot.heads * width;
  const uint64_t numbers = uint64_t{capacity.sequences} * slot.heads * width;
  const uint64_t length = run.value_begin[sequence + 1] - run.value_begin[sequence];
  const uint64_t first = (uint64_t{sequence} * slot.heads + head) * width;
  uint8_t* base = run.arena + slot.offset;
  return {reinterpret_cast<int8_t*>(base) + (uint64_t{run.value_begin[sequence]} * slot.heads + head * length) * width,
          reinterpret_cast<float*>(base + tile_bytes) + first,
          reinterpret_cast<int32_t*>(base + tile_bytes + numbers * sizeof(float)) + first};
}

// The working memory of one pass of int8 attention (plan/attention_work.h), the constants in it filled in.
struct AttendS8Memory {
  uint8_t *queries, *probabilities;
  float *scores, *query_scale, *inverse_sum;
  int32_t *query_zero, *probability_zero;

  AttendS8Memory(const Run& run, const Block& block, const Step& step) {
    const AttendS8Work work = attend_s8_work(run.kernels->layout, step.head_dim, run.plan->capacity().max_length);
    queries = block.work + work.queries;
    probabilities = block.work + work.probabilities;
    scores = reinterpret_cast<float*>(block.work + work.scores);
    query_scale = reinterpret_cast<float*>(block.work + work.query_scale);
    inverse_sum = reinterpret_cast<float*>(block.work + work.inverse_sum);
    query_zero = reinterpret_cast<int32_t*>(block.work + work.query_zero);
    probability_zero = reinterpret_cast<int32_t*>(block.work + work.probability_zero);
    for (uint32_t i = 0; i < kQueryRows; ++i) {
      query_zero[i] = 0;
      probability_zero[i] = kProbabilityZero;
    }
  }
};

// Calls visit(sequence, first row, rows) for the part of every sequence that lies in the block.
template <typename Visit>
void for_each_sequence(const Batch& batch, const Block& block, Visit visit) {
  uint32_t low = 0;
  uint32_t high = batch.sequences;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    (batch.begin[middle] <= block.begin ? low : high) = middle;
  }
  for (uint32_t row = block.begin; row < block.end; ++low) {
    const uint32_t end = batch.begin[low + 1] < block.end ? batch.begin[low + 1] : block.end;
    if (end > row) {
      visit(low, row, end - row);
      row = end;
    }
  }
}

// Queries per pass, so that the last pass is about as long as the others.
inline uint32_t balanced(uint32_t rows) {
  const uint32_t passes = (rows + kQueryRows - 1) / kQueryRows;
  return (rows + passes - 1) / passes;
}

}  // namespace kinglet
