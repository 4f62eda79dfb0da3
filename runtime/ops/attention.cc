// Attention over the rows of a block: per sequence and head, a few queries at a time.
#include "ops/attention_parts.h"
#include "ops/execute.h"

namespace kinglet {

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
  const AttendS8Memory memory(run, block, step);
  const size_t query_stride = run.plan->slot(step.in).stride();
  const size_t out_stride = run.plan->slot(step.out).stride();
  const float* queries = rows_of(run, block, step.in);
  float* out = rows_of(run, block, step.out);
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
                                       .q = memory.queries,
                                       .scale = memory.query_scale})) {
          run.report(Failure::non_finite);
          return;
        }
        kernels.gemm_s8({.a = memory.queries,
                         .w = keys.tile,
                         .m = m,
                         .n = length,
                         .k = step.head_dim,
                         .row_scale = memory.query_scale,
                         .zero_point = memory.query_zero,
                         .column_scale = keys.scale,
                         .column_sum = keys.sum,
                         .bias = nullptr,
                         .out = memory.scores,
                         .out_stride = score_stride});
        kernels.softmax_quantize({.scores = memory.scores,
                                  .m = m,
                                  .n = length,
                                  .stride = score_stride,
                                  .p = memory.probabilities,
                                  .inverse_sum = memory.inverse_sum});
        kernels.gemm_s8({.a = memory.probabilities,
                         .w = values.tile,
                         .m = m,
                         .n = step.head_dim,
                         .k = length,
                         .row_scale = memory.inverse_sum,
                         .zero_point = memory.probability_zero,
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
