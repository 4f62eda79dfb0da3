// Attention over the rows of a block: per sequence and head, a few queries at a time.
#include "plan/attention_work.h"
#include "ops/execute.h"

namespace kinglet {
namespace {

constexpr int32_t kProbabilityZero = -128;

// Where the packed keys or values of one head of one sequence lie in their slot: all tiles first, then all scales, then
// all sums.
struct Packed {
  int8_t* tile;
  float* scale;
  int32_t* sum;
};

Packed packed_keys(const Run& run, uint32_t id, uint32_t sequence, uint32_t head) {
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

Packed packed_values(const Run& run, uint32_t id, uint32_t sequence, uint32_t head) {
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
uint32_t balanced(uint32_t rows) {
  const uint32_t passes = (rows + kQueryRows - 1) / kQueryRows;
  return (rows + passes - 1) / passes;
}

}  // namespace

void run_pack(const Run& run, const Step& step, uint32_t sequence, uint32_t head) {
  const Slot& key_rows = run.plan->slot(step.in);
  const Slot& value_rows = run.plan->slot(step.in2);
  const uint32_t row = run.batch.begin[sequence];
  const size_t column = size_t{head} * step.head_dim;
  const Packed keys = packed_keys(run, step.out, sequence, head);
  const Packed values = packed_values(run, step.out2, sequence, head);
  const bool keys_finite = run.kernels->pack_keys({.x = arena_rows(run, step.in) + row * key_rows.stride() + column,
                                                   .m = run.batch.length(sequence),
                                                   .k = step.head_dim,
                                                   .stride = key_rows.stride(),
                                                   .tile = keys.tile,
                                                   .scale = keys.scale,
                                                   .sum = keys.sum});
  const bool values_finite =
      run.kernels->pack_values({.x = arena_rows(run, step.in2) + row * value_rows.stride() + column,
                                .m = run.batch.length(sequence),
                                .k = step.head_dim,
                                .stride = value_rows.stride(),
                                .tile = values.tile,
                                .scale = values.scale,
                                .sum = values.sum});
  if (!keys_finite || !values_finite) {
    run.report(Failure::non_finite);
  }
}

void run_attend_s8(const Run& run, const Block& block, const Step& step) {
  const kernels::Kernels& kernels = *run.kernels;
  const AttendS8Work work = attend_s8_work(kernels.layout, step.head_dim, run.plan->capacity().max_length);
  const size_t query_stride = run.plan->slot(step.in).stride();
  const size_t out_stride = run.plan->slot(step.out).stride();
  const float* queries = rows_of(run, block, step.in);
  float* out = rows_of(run, block, step.out);
  float* scores = reinterpret_cast<float*>(block.work + work.scores);
  float* query_scale = reinterpret_cast<float*>(block.work + work.query_scale);
  float* inverse_sum = reinterpret_cast<float*>(block.work + work.inverse_sum);
  int32_t* query_zero = reinterpret_cast<int32_t*>(block.work + work.query_zero);
  int32_t* probability_zero = reinterpret_cast<int32_t*>(block.work + work.probability_zero);
  for (uint32_t i = 0; i < kQueryRows; ++i) {
    query_zero[i] = 0;
    probability_zero[i] = kProbabilityZero;
  }
  for_each_sequence(run.batch, block, [&](uint32_t sequence, uint32_t first, uint32_t count) {
    const uint32_t length = run.batch.length(sequence);
    const size_t score_stride = kernels::round_up(length, 16);
    const uint32_t pass = balanced(count);
    for (uint32_t head = 0; head < step.heads; ++head) {
      const Packed keys = packed_keys(run, step.in2, sequence, head);
      const Packed values = packed_values(run, step.in3, sequence, head);
      const size_t column = size_t{head} * step.head_dim;
      for (uint32_t done = 0; done < count; done += pass) {
        const size_t row = first - block.begin + done;
        const size_t m = count - done < pass ? count - done : pass;
        if (!kernels.quantize_queries({.x = queries + row * query_stride + column,
                                       .m = m,
                                       .k = step.head_dim,
                                       .stride = query_stride,
                                       .multiplier = step.number,
                                       .q = block.work + work.queries,
                                       .scale = query_scale})) {
          run.report(Failure::non_finite);
          return;
        }
        kernels.gemm_s8({.a = block.work + work.queries,
                         .w = keys.tile,
                         .m = m,
                         .n = length,
                         .k = step.head_dim,
                         .row_scale = query_scale,
                         .zero_point = query_zero,
                         .column_scale = keys.scale,
                         .column_sum = keys.sum,
                         .bias = nullptr,
                         .out = scores,
                         .out_stride = score_stride});
        kernels.softmax_quantize({.scores = scores,
                                  .m = m,
                                  .n = length,
                                  .stride = score_stride,
                                  .p = block.work + work.probabilities,
                                  .inverse_sum = inverse_sum});
        kernels.gemm_s8({.a = block.work + work.probabilities,
                         .w = values.tile,
                         .m = m,
                         .n = step.head_dim,
                         .k = length,
                         .row_scale = inverse_sum,
                         .zero_point = probability_zero,
                         .column_scale = values.scale,
                         .column_sum = values.sum,
                         .bias = nullptr,
                         .out = out + row * out_stride + column,
                         .out_stride = out_stride});
      }
    }
  });
}

void run_attend_f32(const Run& run, const Block& block, const Step& step) {
  const size_t query_stride = run.plan->slot(step.in).stride();
  const size_t key_stride = run.plan->slot(step.in2).stride();
  const size_t value_stride = run.plan->slot(step.in3).stride();
  const size_t out_stride = run.plan->slot(step.out).stride();
  for_each_sequence(run.batch, block, [&](uint32_t sequence, uint32_t first, uint32_t count) {
    const size_t begin = run.batch.begin[sequence];
    const size_t row = first - block.begin;
    for (uint32_t head = 0; head < step.heads; ++head) {
      const size_t column = size_t{head} * step.head_dim;
      run.kernels->attention_f32({.q = rows_of(run, block, step.in) + row * query_stride + column,
                                  .k = arena_rows(run, step.in2) + begin * key_stride + column,
                                  .v = arena_rows(run, step.in3) + begin * value_stride + column,
                                  .q_stride = query_stride,
                                  .k_stride = key_stride,
                                  .v_stride = value_stride,
                                  .m = count,
                                  .n = run.batch.length(sequence),
                                  .dimension = step.head_dim,
                                  .multiplier = step.number,
                                  .scratch = reinterpret_cast<float*>(block.work),
                                  .out = rows_of(run, block, step.out) + row * out_stride + column,
                                  .out_stride = out_stride});
    }
  });
}

}  // namespace kinglet
