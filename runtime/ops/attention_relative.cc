// Attention whose scores depend on the distance between tokens too: a bias, a window, or disentangled terms. What a
// query gets does not depend on which queries are computed beside it: keys outside of its window have the probability
// 0.
#include "ops/attention_parts.h"
#include "ops/execute.h"
#include "plan/relative_work.h"

namespace kinglet {
namespace {

// The keys that some of the queries [first, last) of a sequence see.
struct KeyRange {
  size_t begin, end;
  size_t size() const { return end - begin; }
};

KeyRange visible_keys(size_t first, size_t last, size_t length, size_t window) {
  if (window == 0) {
    return {0, length};
  }
  const size_t end = last + window - 1;
  return {first < window ? 0 : first - window + 1, end < length ? end : length};
}

// The same in whole parts of the packed tiles: from a multiple of 16 to a multiple of 8, or the end.
KeyRange visible_tiles(size_t first, size_t last, size_t length, size_t window) {
  const KeyRange keys = visible_keys(first, last, length, window);
  const size_t end = kernels::round_up(keys.end, 8);
  return {keys.begin / 16 * 16, end < length ? end : length};
}

// The bias of a head and how far it reaches; null where there is none.
struct Bias {
  const float* row = nullptr;
  size_t reach = 0;
};

Bias bias_of(const Run& run, const fmt::Attention& op, uint32_t head) {
  if (op.relative_bias() < 0) {
    return {};
  }
  const auto id = static_cast<uint32_t>(op.relative_bias());
  const size_t columns = run.model->table().tensors()->Get(id)->shape()->Get(1);
  return {static_cast<const float*>(run.model->tensor(id)) + head * columns, columns / 2};
}

void relate(const Run& run, const fmt::Attention& op, Bias bias, float* scores, size_t m, KeyRange keys, size_t stride,
            size_t first_query) {
  if (bias.row == nullptr && op.window() == 0) {
    return;
  }
  run.kernels->relate_scores({.scores = scores,
                              .m = m,
                              .n = keys.size(),
                              .stride = stride,
                              .distance = static_cast<ptrdiff_t>(keys.begin) - static_cast<ptrdiff_t>(first_query),
                              .bias = bias.row,
                              .reach = bias.reach,
                              .window = op.window() == 0 ? SIZE_MAX : op.window()});
}

// Probabilities times a part of the packed values. A column's sum over a part is not stored, so 16 dimensions at a time
// are summed and multiplied.
void weigh_part(const Run& run, kernels::GemmS8 product, const Packed& values, KeyRange keys, size_t length,
                size_t head_dim) {
  float* const out = product.out;
  const size_t tile_bytes = kernels::round_up(length, 8) * 16;
  int32_t sums[16];
  product.n = 16;
  product.k = keys.size();
  product.column_sum = sums;
  for (size_t dimension = 0; dimension < head_dim; dimension += 16) {
    product.w = values.tile + dimension / 16 * tile_bytes + keys.begin * 16;
    product.column_scale = values.scale + dimension;
    product.out = out + dimension;
    run.kernels->sum_tile({.tile = product.w, .steps = (keys.size() + 7) / 8, .sum = sums});
    run.kernels->gemm_s8(product);
  }
}

// One head's columns of a table of disentangled attention.
struct HeadTable {
  const float* rows = nullptr;
  size_t stride = 0;
};

HeadTable head_table(const Run& run, const Step& step, int32_t table, int32_t scale, uint32_t head, float* work,
                     uint32_t first_row, uint32_t last_row) {
  if (table < 0) {
    return {};
  }
  const auto id = static_cast<uint32_t>(table);
  const size_t width = size_t{step.heads} * step.head_dim;
  const size_t column = size_t{head} * step.head_dim;
  if (scale < 0) {
    return {static_cast<const float*>(run.model->tensor(id)) + column, width};
  }
  const auto* bytes = static_cast<const int8_t*>(run.model->tensor(id));
  const auto* scales = static_cast<const float*>(run.model->tensor(static_cast<uint32_t>(scale)));
  const size_t stride = kernels::round_up(step.head_dim, 16);
  for (uint32_t row = first_row; row <= last_row; ++row) {
    run.kernels->embed_row({.row = bytes + row * width + column,
                            .s8 = true,
                            .tile = false,
                            .scale = scales[row],
                            .add = false,
                            .out = work + row * stride,
                            .n = step.head_dim});
  }
  return {work, stride};
}

// The terms of one head, for a sequence of `length`.
struct Terms {
  HeadTable c, p;
  const uint32_t* rows = nullptr;
  size_t reach = 0;
};

Terms terms_of(const Run& run, const Block& block, const Step& step, uint32_t head, size_t length) {
  const fmt::Disentangled* op = step.relative->disentangled();
  if (op == nullptr) {
    return {};
  }
  const AttendRelativeWork work = attend_relative_work(*run.model, *step.relative, run.plan->capacity().max_length);
  const auto at = [&](uint64_t offset) { return reinterpret_cast<float*>(block.work + offset); };
  const size_t reach = op->rows()->size() / 2;
  const size_t farthest = length - 1 < reach ? length - 1 : reach;
  uint32_t first = UINT32_MAX;
  uint32_t last = 0;
  for (size_t i = reach - farthest; i <= reach + farthest; ++i) {
    const uint32_t row = op->rows()->Get(static_cast<uint32_t>(i));
    first = row < first ? row : first;
    last = row > last ? row : last;
  }
  return {head_table(run, step, op->content_to_position(), op->content_to_position_scale(), head,
                     at(work.content_to_position), first, last),
          head_table(run, step, op->position_to_content(), op->position_to_content_scale(), head,
                     at(work.position_to_content), first, last),
          op->rows()->data(), reach};
}

}  // namespace

void run_attend_relative_s8(const Run& run, const Block& block, const Step& step) {
  const kernels::Kernels& kernels = *run.kernels;
  const fmt::Attention& op = *step.relative;
  const AttendS8Memory memory(run, block, step);
  const size_t query_stride = run.plan->slot(step.in).stride();
  const size_t out_stride = run.plan->slot(step.out).stride();
  const float* queries = rows_of(run, block, step.in);
  float* out = rows_of(run, block, step.out);
  for_each_sequence(run.batch, block, [&](uint32_t sequence, uint32_t first, uint32_t count) {
    const uint32_t length = run.batch.length(sequence);
    const uint32_t pass = balanced(count);
    for (uint32_t head = 0; head < step.heads; ++head) {
      const Packed packed = packed_keys(run, step.in2, sequence, head);
      const Packed values = packed_values(run, step.in3, sequence, head);
      const Bias bias = bias_of(run, op, head);
      const size_t column = size_t{head} * step.head_dim;
      for (uint32_t done = 0; done < count; done += pass) {
        const size_t row = first - block.begin + done;
        const size_t m = count - done < pass ? count - done : pass;
        const size_t place = first - run.batch.begin[sequence] + done;
        const KeyRange keys = visible_tiles(place, place + m, length, op.window());
        const size_t score_stride = kernels::round_up(keys.size(), 16);
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
                         .w = packed.tile + keys.begin * step.head_dim,
                         .m = m,
                         .n = keys.size(),
                         .k = step.head_dim,
                         .row_scale = memory.query_scale,
                         .zero_point = memory.query_zero,
                         .column_scale = packed.scale + keys.begin,
                         .column_sum = packed.sum + keys.begin,
                         .bias = nullptr,
                         .out = memory.scores,
                         .out_stride = score_stride});
        relate(run, op, bias, memory.scores, m, keys, score_stride, place);
        kernels.softmax_quantize({.scores = memory.scores,
                                  .m = m,
                                  .n = keys.size(),
                                  .stride = score_stride,
                                  .p = memory.probabilities,
                                  .inverse_sum = memory.inverse_sum});
        const kernels::GemmS8 product = {.a = memory.probabilities,
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
                                         .out_stride = out_stride};
        if (keys.size() == length) {
          kernels.gemm_s8(product);
        } else {
          weigh_part(run, product, values, keys, length, step.head_dim);
        }
      }
    }
  });
}

void run_attend_relative_f32(const Run& run, const Block& block, const Step& step) {
  const fmt::Attention& op = *step.relative;
  const size_t query_stride = run.plan->slot(step.in).stride();
  const size_t key_stride = run.plan->slot(step.in2).stride();
  const size_t value_stride = run.plan->slot(step.in3).stride();
  const size_t out_stride = run.plan->slot(step.out).stride();
  const float* queries = rows_of(run, block, step.in);
  float* out = rows_of(run, block, step.out);
  float* scores = reinterpret_cast<float*>(block.work);
  for_each_sequence(run.batch, block, [&](uint32_t sequence, uint32_t first, uint32_t count) {
    const size_t length = run.batch.length(sequence);
    const size_t begin = run.batch.begin[sequence];
    // The order of the sums starts at the first key, which with a window is another one for every query.
    const uint32_t pass = op.window() != 0 ? 1 : balanced(count);
    for (uint32_t head = 0; head < step.heads; ++head) {
      const size_t column = size_t{head} * step.head_dim;
      const Bias bias = bias_of(run, op, head);
      const Terms terms = terms_of(run, block, step, head, length);
      for (uint32_t done = 0; done < count; done += pass) {
        const size_t row = first - block.begin + done;
        const size_t m = count - done < pass ? count - done : pass;
        const size_t place = first - begin + done;
        const KeyRange keys = visible_keys(place, place + m, length, op.window());
        const size_t stride = kernels::round_up(keys.size(), 16);
        run.kernels->scores_f32({.q = queries + row * query_stride + column,
                                 .k = arena_rows(run, step.in2) + (begin + keys.begin) * key_stride + column,
                                 .q_stride = query_stride,
                                 .k_stride = key_stride,
                                 .m = m,
                                 .n = keys.size(),
                                 .dimension = step.head_dim,
                                 .distance = static_cast<ptrdiff_t>(keys.begin) - static_cast<ptrdiff_t>(place),
                                 .multiplier = step.number,
                                 .c = terms.c.rows,
                                 .p = terms.p.rows,
                                 .c_stride = terms.c.stride,
                                 .p_stride = terms.p.stride,
                                 .rows = terms.rows,
                                 .reach = terms.reach,
                                 .out = scores,
                                 .out_stride = stride});
        relate(run, op, bias, scores, m, keys, stride, place);
        run.kernels->weigh_values_f32({.scores = scores,
                                       .stride = stride,
                                       .v = arena_rows(run, step.in3) + (begin + keys.begin) * value_stride + column,
                                       .v_stride = value_stride,
                                       .m = m,
                                       .n = keys.size(),
                                       .dimension = step.head_dim,
                                       .out = out + row * out_stride + column,
                                       .out_stride = out_stride});
      }
    }
  });
}

}  // namespace kinglet
