// Lowers the ops of a program to steps over slots. Ops whose results nobody asked for are left out.
#include "model/task_outputs.h"
#include "plan/attention_work.h"
#include "plan/plan.h"
#include "plan/relative_work.h"

namespace kinglet {
namespace {

using fmt::Extent;

const float* floats(const Model& model, int32_t tensor) {
  return tensor < 0 ? nullptr : static_cast<const float*>(model.tensor(static_cast<uint32_t>(tensor)));
}

kernels::ActivationFunction activation_function(fmt::Activation activation) {
  using kernels::ActivationFunction;
  switch (activation) {
    case fmt::Activation::gelu:
      return ActivationFunction::gelu;
    case fmt::Activation::gelu_tanh:
      return ActivationFunction::gelu_tanh;
    case fmt::Activation::relu:
      return ActivationFunction::relu;
    case fmt::Activation::silu:
      return ActivationFunction::silu;
    case fmt::Activation::tanh:
      return ActivationFunction::tanh;
    case fmt::Activation::sigmoid:
      return ActivationFunction::sigmoid;
    default:
      return ActivationFunction::none;
  }
}

kernels::PoolFunction pool_function(fmt::PoolKind kind) {
  switch (kind) {
    case fmt::PoolKind::mean:
      return kernels::PoolFunction::mean;
    case fmt::PoolKind::max:
      return kernels::PoolFunction::max;
    case fmt::PoolKind::mean_sqrt_length:
      return kernels::PoolFunction::mean_sqrt_length;
    default:
      return kernels::PoolFunction::first;
  }
}

bool is_s8(const Model& model, const fmt::Matrix& matrix) {
  return model.table().tensors()->Get(matrix.weight())->dtype() == fmt::DType::s8;
}

Weights resolve(const Model& model, const fmt::Matrix& matrix) {
  const fmt::Tensor& tensor = *model.table().tensors()->Get(matrix.weight());
  Weights weights;
  weights.w = model.tensor(matrix.weight());
  weights.n = tensor.shape()->Get(0);
  weights.k = tensor.shape()->Get(1);
  weights.scale = floats(model, matrix.scale());
  weights.column_sum = reinterpret_cast<const int32_t*>(floats(model, matrix.column_sum()));
  weights.bias = floats(model, matrix.bias());
  return weights;
}

// Calls visit(value) for every value that an op reads.
template <typename Visit>
void visit_inputs(const fmt::Step& step, Visit visit) {
  switch (step.op_type()) {
    case fmt::Op::Linear:
      visit(step.op_as_Linear()->in());
      break;
    case fmt::Op::Attention:
      visit(step.op_as_Attention()->query_in());
      visit(step.op_as_Attention()->key_in());
      visit(step.op_as_Attention()->value_in());
      break;
    case fmt::Op::AddNorm:
      visit(step.op_as_AddNorm()->in());
      if (step.op_as_AddNorm()->residual() >= 0) {
        visit(static_cast<uint32_t>(step.op_as_AddNorm()->residual()));
      }
      break;
    case fmt::Op::Pool:
      visit(step.op_as_Pool()->in());
      break;
    case fmt::Op::Normalize:
      visit(step.op_as_Normalize()->in());
      break;
    case fmt::Op::Neighbours:
      visit(step.op_as_Neighbours()->in());
      break;
    default:
      break;
  }
}

uint32_t output_of(const fmt::Step& step) {
  switch (step.op_type()) {
    case fmt::Op::Embed:
      return step.op_as_Embed()->out();
    case fmt::Op::Linear:
      return step.op_as_Linear()->out();
    case fmt::Op::Attention:
      return step.op_as_Attention()->out();
    case fmt::Op::AddNorm:
      return step.op_as_AddNorm()->out();
    case fmt::Op::Pool:
      return step.op_as_Pool()->out();
    case fmt::Op::Normalize:
      return step.op_as_Normalize()->out();
    case fmt::Op::Neighbours:
      return step.op_as_Neighbours()->out();
    default:
      return kNone;
  }
}

// Bytes from the first to the last byte of a row of an embedding table.
uint64_t row_span(const fmt::Tensor& tensor) {
  const uint64_t width = tensor.shape()->Get(1);
  if (tensor.dtype() == fmt::DType::f32) {
    return width * sizeof(float);
  }
  return tensor.layout() == fmt::Layout::rows ? width : (width + 7) / 8 * 128 - 120;
}

// The longest row that an embedding reads into its scratch.
uint64_t row_bytes(const Model& model, const fmt::Embed& op) {
  uint64_t most = 0;
  for (const fmt::EmbedTable* table : *op.tables()) {
    const uint64_t bytes = row_span(*model.table().tensors()->Get(table->table()));
    most = bytes > most ? bytes : most;
  }
  return most;
}

// The most slots and steps that one op lowers to (an attention: three linears of a quantised input each, a pack,
// tiles).
constexpr size_t kMostPerOp = 16;

}  // namespace

bool Plan::mark_needed(const Model& model, Buffer<uint8_t>* needed) {
  const fmt::Model& table = model.table();
  if (!needed->allocate(table.values()->size())) {
    return false;
  }
  if (capacity_.raw_outputs) {
    for (const fmt::Output* output : *table.outputs()) {
      (*needed)[output->value()] = 1;
    }
  }
  for (const int32_t value : {table.embedding(), table.logits()}) {
    if (value >= 0) {
      (*needed)[static_cast<uint32_t>(value)] = 1;
    }
  }
  for (const fmt::Output* output : find_task_outputs(table).outputs) {
    if (output != nullptr) {
      (*needed)[output->value()] = 1;
    }
  }
  for (uint32_t i = table.program()->size(); i-- > 0;) {
    const fmt::Step& step = *table.program()->Get(i);
    if ((*needed)[output_of(step)] != 0) {
      visit_inputs(step, [&](uint32_t value) { (*needed)[value] = 1; });
    }
  }
  return true;
}

kinglet_status Plan::lower(const Model& model, Error& error) {
  const fmt::Model& table = model.table();
  const size_t ops = table.program()->size();
  Buffer<uint8_t> needed;
  if (!mark_needed(model, &needed) || !slots_.allocate(ops * kMostPerOp) || !steps_.allocate(ops * kMostPerOp) ||
      !value_slots_.allocate(table.values()->size())) {
    return fail(error, KINGLET_OUT_OF_MEMORY, "no memory to plan a program of %zu ops", ops);
  }
  for (uint32_t& slot : value_slots_) {
    slot = kNone;
  }
  for (const fmt::Step* step : *table.program()) {
    if (needed[output_of(*step)] != 0) {
      lower_op(model, *step);
    }
  }
  return KINGLET_OK;
}

uint32_t Plan::add_slot(SlotKind kind, Extent extent, uint32_t width) {
  Slot& slot = slots_[slot_count_] = Slot();
  slot.kind = kind;
  slot.extent = extent;
  slot.width = width;
  return slot_count_++;
}

Step& Plan::add_step(StepKind kind) {
  Step& step = steps_[step_count_++] = Step();
  step.kind = kind;
  return step;
}

// The slot of quantised rows of `in`. Queries, keys and values are quantised from the same rows: that is done once,
// among products that follow one another, hence inside a stage.
uint32_t Plan::quantized(uint32_t in, const float* input_scale, uint32_t width, Extent extent) {
  for (uint32_t i = step_count_; i-- > 0 && steps_[i].out != in;) {
    const Step& step = steps_[i];
    if (step.kind == StepKind::quantize && step.in == in && step.input_scale == input_scale) {
      return step.out;
    }
    if (step.kind != StepKind::quantize && step.kind != StepKind::gemm_s8 && step.kind != StepKind::activate) {
      break;
    }
  }
  Step& step = add_step(StepKind::quantize);
  step.in = in;
  step.input_scale = input_scale;
  step.out = add_slot(SlotKind::quantized, extent, width);
  return step.out;
}

// Adds the steps of out = activation(in·Wᵀ + b) and returns the slot of out, which is made when `out` is kNone.
uint32_t Plan::lower_linear(const Model& model, uint32_t in, uint32_t matrix_id, fmt::Activation activation,
                            uint32_t out, Extent extent) {
  const fmt::Matrix& matrix = *model.table().matrices()->Get(matrix_id);
  const Weights weights = resolve(model, matrix);
  if (out == kNone) {
    out = add_slot(SlotKind::rows, extent, weights.n);
  }
  const bool s8 = is_s8(model, matrix);
  if (s8) {
    in = quantized(in, floats(model, matrix.input_scale()), weights.k, extent);
  }
  Step& gemm = add_step(s8 ? StepKind::gemm_s8 : use_xnnpack_ ? StepKind::xnnpack : StepKind::gemm_f32);
  gemm.in = in;
  gemm.out = out;
  gemm.weights = weights;
  if (gemm.kind == StepKind::xnnpack) {
    gemm.xnnpack = xnnpack_count_++;
  }
  if (activation != fmt::Activation::none) {
    Step& activate = add_step(StepKind::activate);
    activate.in = activate.out = out;
    activate.activation = activation_function(activation);
    activate.fast = s8;
  }
  return out;
}

void Plan::lower_attention(const Model& model, const fmt::Attention& op) {
  const auto project = [&](uint32_t value, uint32_t matrix) {
    return lower_linear(model, value_slots_[value], matrix, fmt::Activation::none, kNone, Extent::tokens);
  };
  const uint32_t keys = project(op.key_in(), op.key());
  const uint32_t values = project(op.value_in(), op.value());
  const uint32_t queries = project(op.query_in(), op.query());
  if (op.rotary() >= 0) {
    rotate(model, op, keys);
    rotate(model, op, queries);
  }
  uint32_t key_tiles = keys;
  uint32_t value_tiles = values;
  if (op.quantized()) {
    key_tiles = add_slot(SlotKind::keys, Extent::tokens, op.head_dim());
    value_tiles = add_slot(SlotKind::values, Extent::tokens, op.head_dim());
    slots_[key_tiles].heads = slots_[value_tiles].heads = op.heads();
    Step& pack = add_step(StepKind::pack);
    pack.in = keys;
    pack.in2 = values;
    pack.out = key_tiles;
    pack.out2 = value_tiles;
    pack.heads = op.heads();
    pack.head_dim = op.head_dim();
  }
  const uint32_t out = add_slot(SlotKind::rows, Extent::tokens, op.heads() * op.head_dim());
  Step& attend = add_step(op.quantized() ? StepKind::attend_s8 : StepKind::attend_f32);
  attend.in = queries;
  attend.in2 = key_tiles;
  attend.in3 = value_tiles;
  attend.out = out;
  attend.heads = op.heads();
  attend.head_dim = op.head_dim();
  attend.number = op.logit_scale();
  attend.work_bytes = op.quantized() ? attend_s8_work(kernels_->layout, op.head_dim(), capacity_.max_length).bytes
                                     : kernels::round_up(capacity_.max_length, 16) * sizeof(float);
  if (has_relative_terms(op)) {
    attend.relative = &op;
    if (!op.quantized()) {
      attend.work_bytes = attend_relative_work(model, op, capacity_.max_length).bytes;
    }
  }
  value_slots_[op.out()] = out;
}

void Plan::rotate(const Model& model, const fmt::Attention& op, uint32_t slot) {
  const fmt::Tensor& table = *model.table().tensors()->Get(static_cast<uint32_t>(op.rotary()));
  Step& step = add_step(StepKind::rotate);
  step.in = step.out = slot;
  step.weights.w = floats(model, op.rotary());
  step.weights.n = table.shape()->Get(0);
  step.weights.k = table.shape()->Get(1);
  step.heads = op.heads();
  step.head_dim = op.head_dim();
}

void Plan::lower_op(const Model& model, const fmt::Step& step) {
  const fmt::Model& table = model.table();
  const uint32_t out_value = output_of(step);
  const fmt::Value& value = *table.values()->Get(out_value);
  const auto new_slot = [&] {
    return value_slots_[out_value] = add_slot(SlotKind::rows, value.extent(), value.width());
  };
  switch (step.op_type()) {
    case fmt::Op::Embed: {
      const fmt::Embed* op = step.op_as_Embed();
      const uint32_t out = new_slot();
      Step& embed = add_step(StepKind::embed);
      embed.embed = op;
      embed.out = out;
      embed.work_bytes = row_bytes(model, *op);
      if (op->norm() >= 0) {
        add_norm(model, out, kNone, op->norm(), out);
      }
      break;
    }
    case fmt::Op::Linear: {
      const fmt::Linear* op = step.op_as_Linear();
      const uint32_t in = value_slots_[op->in()];
      const uint32_t out = lower_linear(model, in, op->matrix(), op->activation(), new_slot(), value.extent());
      if (op->gate() >= 0) {
        const uint32_t gate =
            lower_linear(model, in, static_cast<uint32_t>(op->gate()), fmt::Activation::none, kNone, value.extent());
        Step& multiply = add_step(StepKind::multiply);
        multiply.in = out;
        multiply.in2 = gate;
        multiply.out = out;
      }
      break;
    }
    case fmt::Op::Attention:
      lower_attention(model, *step.op_as_Attention());
      break;
    case fmt::Op::AddNorm: {
      const fmt::AddNorm* op = step.op_as_AddNorm();
      const uint32_t residual = op->residual() < 0 ? kNone : value_slots_[static_cast<uint32_t>(op->residual())];
      add_norm(model, value_slots_[op->in()], residual, op->norm(), new_slot());
      break;
    }
    case fmt::Op::Pool: {
      const fmt::Pool* op = step.op_as_Pool();
      const uint32_t in = value_slots_[op->in()];
      const uint32_t out = new_slot();
      Step& pool = add_step(StepKind::pool);
      pool.in = in;
      pool.out = out;
      pool.pool = pool_function(op->kind());
      break;
    }
    case fmt::Op::Normalize: {
      const uint32_t in = value_slots_[step.op_as_Normalize()->in()];
      const uint32_t out = new_slot();
      Step& normalize = add_step(StepKind::normalize);
      normalize.in = in;
      normalize.out = out;
      break;
    }
    case fmt::Op::Neighbours: {
      const fmt::Neighbours* op = step.op_as_Neighbours();
      const uint32_t in = value_slots_[op->in()];
      const uint32_t out = new_slot();
      Step& neighbours = add_step(StepKind::neighbours);
      neighbours.in = in;
      neighbours.out = out;
      neighbours.before = op->before();
      neighbours.after = op->after();
      break;
    }
    default:
      break;  // the semantic pass has refused every other op
  }
}

void Plan::add_norm(const Model& model, uint32_t in, uint32_t residual, int32_t norm_id, uint32_t out) {
  Step& step = add_step(StepKind::add_norm);
  step.in = in;
  step.in2 = residual;
  step.out = out;
  if (norm_id >= 0) {
    const fmt::Norm& norm = *model.table().norms()->Get(static_cast<uint32_t>(norm_id));
    step.weights.w = model.tensor(norm.weight());
    step.weights.bias = floats(model, norm.bias());
    step.affine = norm.kind() == fmt::NormKind::affine;
    step.number = norm.epsilon();
  }
}

}  // namespace kinglet
