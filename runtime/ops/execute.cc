#include "ops/execute.h"

namespace kinglet {
namespace {

void run_quantize(const Run& run, const Block& block, const Step& step) {
  const Slot& in = run.plan->slot(step.in);
  const QuantizedRows out = quantized_of(run, block, step.out);
  const bool finite = run.kernels->quantize_rows({.x = rows_of(run, block, step.in),
                                                  .m = block.rows(),
                                                  .k = in.width,
                                                  .stride = in.stride(),
                                                  .input_scale = step.input_scale,
                                                  .q = out.data,
                                                  .scale = out.scale,
                                                  .zero_point = out.zero_point});
  if (!finite) {
    run.report(Failure::non_finite);
  }
}

// A part of n columns: whole tiles of 16, but for the last.
struct Columns {
  Columns(const Block& block, size_t n)
      : begin(at(block.part, block.parts, n)), end(at(block.part + 1, block.parts, n)) {}

  static size_t at(size_t part, size_t parts, size_t n) {
    const size_t column = (n + 15) / 16 * part / parts * 16;
    return column < n ? column : n;
  }
  size_t count() const { return end - begin; }

  size_t begin, end;
};

void run_gemm_s8(const Run& run, const Block& block, const Step& step, const Columns& columns) {
  const Weights& weights = step.weights;
  const QuantizedRows in = quantized_of(run, block, step.in);
  run.kernels->gemm_s8({.a = in.data,
                        .w = static_cast<const int8_t*>(weights.w) + columns.begin * kernels::round_up(weights.k, 8),
                        .m = block.rows(),
                        .n = columns.count(),
                        .k = weights.k,
                        .row_scale = in.scale,
                        .zero_point = in.zero_point,
                        .column_scale = weights.scale + columns.begin,
                        .column_sum = weights.column_sum + columns.begin,
                        .bias = weights.bias != nullptr ? weights.bias + columns.begin : nullptr,
                        .out = rows_of(run, block, step.out) + columns.begin,
                        .out_stride = run.plan->slot(step.out).stride()});
}

void run_gemm_f32(const Run& run, const Block& block, const Step& step, const Columns& columns) {
  const Weights& weights = step.weights;
  run.kernels->gemm_f32({.a = rows_of(run, block, step.in),
                         .a_stride = run.plan->slot(step.in).stride(),
                         .w = static_cast<const float*>(weights.w) + columns.begin * weights.k,
                         .m = block.rows(),
                         .n = columns.count(),
                         .k = weights.k,
                         .bias = weights.bias != nullptr ? weights.bias + columns.begin : nullptr,
                         .out = rows_of(run, block, step.out) + columns.begin,
                         .out_stride = run.plan->slot(step.out).stride()});
}

void run_activate(const Run& run, const Block& block, const Step& step, const Columns& columns) {
  const Slot& slot = run.plan->slot(step.out);
  run.kernels->activate({.function = step.activation,
                         .fast = step.fast,
                         .x = rows_of(run, block, step.out) + columns.begin,
                         .m = block.rows(),
                         .n = columns.count(),
                         .stride = slot.stride()});
}

void run_multiply(const Run& run, const Block& block, const Step& step, const Columns& columns) {
  const Slot& slot = run.plan->slot(step.out);
  run.kernels->multiply({.a = rows_of(run, block, step.out) + columns.begin,
                         .b = rows_of(run, block, step.in2) + columns.begin,
                         .m = block.rows(),
                         .n = columns.count(),
                         .a_stride = slot.stride(),
                         .b_stride = run.plan->slot(step.in2).stride()});
}

void run_add_norm(const Run& run, const Block& block, const Step& step) {
  const Slot& out = run.plan->slot(step.out);
  const bool residual = step.in2 != kNone;
  run.kernels->add_norm({.x = rows_of(run, block, step.in),
                         .residual = residual ? rows_of(run, block, step.in2) : nullptr,
                         .weight = static_cast<const float*>(step.weights.w),
                         .bias = step.weights.bias,
                         .affine = step.affine,
                         .epsilon = step.number,
                         .out = rows_of(run, block, step.out),
                         .m = block.rows(),
                         .n = out.width,
                         .x_stride = run.plan->slot(step.in).stride(),
                         .residual_stride = residual ? run.plan->slot(step.in2).stride() : 0,
                         .out_stride = out.stride()});
}

void run_pool(const Run& run, const Block& block, const Step& step) {
  const Slot& in = run.plan->slot(step.in);
  const Slot& out = run.plan->slot(step.out);
  for (uint32_t sequence = block.begin; sequence < block.end; ++sequence) {
    run.kernels->pool_rows({.function = step.pool,
                            .x = arena_rows(run, step.in) + run.batch.begin[sequence] * in.stride(),
                            .m = run.batch.length(sequence),
                            .n = in.width,
                            .stride = in.stride(),
                            .out = rows_of(run, block, step.out) + (sequence - block.begin) * out.stride()});
  }
}

void run_normalize(const Run& run, const Block& block, const Step& step) {
  const size_t stride = run.plan->slot(step.out).stride();
  for (uint32_t row = 0; row < block.rows(); ++row) {
    run.kernels->normalize_row({.x = rows_of(run, block, step.in) + row * stride,
                                .out = rows_of(run, block, step.out) + row * stride,
                                .n = run.plan->slot(step.out).width});
  }
}

}  // namespace

float* rows_of(const Run& run, const Block& block, uint32_t id) {
  const Slot& slot = run.plan->slot(id);
  return slot.local ? reinterpret_cast<float*>(block.locals + block.sharers * slot.offset) +
                          (block.begin - block.first) * slot.stride()
                    : arena_rows(run, id) + block.begin * slot.stride();
}

QuantizedRows quantized_of(const Run& run, const Block& block, uint32_t id) {
  // Quantised rows are shared inside a stage only, so their slots are always local.
  const Slot& slot = run.plan->slot(id);
  uint8_t* base = block.locals + block.sharers * slot.offset;
  const size_t numbers = kernels::round_up(block.capacity * sizeof(float), 64);
  const uint32_t row = block.begin - block.first;
  return {reinterpret_cast<float*>(base) + row, reinterpret_cast<int32_t*>(base + numbers) + row,
          base + 2 * numbers + kernels::activation_offset(run.kernels->layout, slot.width, row, 0)};
}

void run_step(const Run& run, const Block& block, const Step& step) {
  const Columns columns(block, run.plan->slot(step.out).width);
  if (columns.count() == 0) {
    return;
  }
  switch (step.kind) {
    case StepKind::embed: run_embed(run, block, step); break;
    case StepKind::quantize: run_quantize(run, block, step); break;
    case StepKind::gemm_s8: run_gemm_s8(run, block, step, columns); break;
    case StepKind::gemm_f32: run_gemm_f32(run, block, step, columns); break;
    case StepKind::activate: run_activate(run, block, step, columns); break;
    case StepKind::multiply: run_multiply(run, block, step, columns); break;
    case StepKind::add_norm: run_add_norm(run, block, step); break;
    case StepKind::attend_s8:
      step.relative != nullptr ? run_attend_relative_s8(run, block, step) : run_attend_s8(run, block, step);
      break;
    case StepKind::attend_f32:
      step.relative != nullptr ? run_attend_relative_f32(run, block, step) : run_attend_f32(run, block, step);
      break;
    case StepKind::rotate: run_rotate(run, block, step); break;
    case StepKind::neighbours: run_neighbours(run, block, step); break;
    case StepKind::pool: run_pool(run, block, step); break;
    case StepKind::normalize: run_normalize(run, block, step); break;
    case StepKind::pack:
    case StepKind::xnnpack: break;  // stages of their own
  }
}

}  // namespace kinglet
