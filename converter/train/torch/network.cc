// The interpreter, op by op.
#include "train/torch/network.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>

#include "base/text.h"

namespace kinglet::train {

using convert::kNone;
using torch::Tensor;

namespace {

constexpr double kMasked = -1e30;

// What an op reads and writes.
template <typename F>
void for_inputs(const convert::Op& op, const F& f) {
  std::visit(
      [&](const auto& o) {
        using T = std::decay_t<decltype(o)>;
        if constexpr (std::is_same_v<T, convert::AttentionOp>) {
          f(o.query_in), f(o.key_in), f(o.value_in);
        } else if constexpr (std::is_same_v<T, convert::AddNormOp>) {
          f(o.in);
          if (o.residual != kNone) {
            f(static_cast<uint32_t>(o.residual));
          }
        } else if constexpr (!std::is_same_v<T, convert::EmbedOp>) {
          f(o.in);
        }
      },
      op);
}

uint32_t output_of(const convert::Op& op) {
  return std::visit([](const auto& o) { return o.out; }, op);
}

// Dropout of libtorch, but none at all where there is nothing to drop.
Tensor dropped(const Tensor& in, double share) {
  return share > 0 ? torch::dropout(in, share, true) : in;
}

Tensor activated(const Tensor& in, fmt::Activation activation) {
  switch (activation) {
    case fmt::Activation::none:
      return in;
    case fmt::Activation::gelu:
      return torch::gelu(in, "none");
    case fmt::Activation::gelu_tanh:
      return torch::gelu(in, "tanh");
    case fmt::Activation::relu:
      return torch::relu(in);
    case fmt::Activation::silu:
      return torch::silu(in);
    case fmt::Activation::tanh:
      return torch::tanh(in);
    case fmt::Activation::sigmoid:
      return torch::sigmoid(in);
  }
  convert::refuse("the program has an activation that training does not know");
}

}  // namespace

struct Network::State {
  const Inputs& inputs;
  const Dropout& dropout;
  Run& run;
  Tensor key_mask;  // added to scores: [rows, 1, 1, columns]
};

Inputs Inputs::from(const Batch& batch, torch::Device device) {
  const auto rows = static_cast<int64_t>(batch.rows), columns = static_cast<int64_t>(batch.columns);
  const auto tensor = [&](const std::vector<int64_t>& numbers, std::vector<int64_t> shape) {
    return torch::tensor(numbers, torch::kInt64).reshape(shape).to(device);
  };
  Inputs inputs;
  inputs.ids = tensor(batch.ids, {rows, columns});
  inputs.types = tensor(batch.types, {rows, columns});
  inputs.lengths = tensor(batch.lengths, {rows});
  inputs.mask = torch::arange(columns, torch::TensorOptions(torch::kInt64).device(device)).unsqueeze(0) <
                inputs.lengths.unsqueeze(1);
  return inputs;
}

Network::Network(const convert::ModelIR& model, torch::Device device) : model_(model), device_(device) {
  for (const convert::Tensor& tensor : model_.tensors) {
    const std::vector<int64_t> shape(tensor.shape.begin(), tensor.shape.end());
    tensors_.push_back(torch::tensor(tensor.read_all(), torch::kFloat32).reshape(shape).to(device));
  }
  last_use_.assign(model_.values.size(), 0);
  for (size_t place = 0; place < model_.program.size(); ++place) {
    const convert::Op& op = model_.program[place];
    for_inputs(op, [&](uint32_t value) { last_use_[value] = place; });
    if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      hidden_.push_back(attention->query_in);
    }
    if (const auto* sum = std::get_if<convert::AddNormOp>(&op); sum != nullptr && sum->residual != kNone) {
      head_begin_ = place + 1;
    }
  }
  if (hidden_.empty()) {
    convert::refuse("the model has no attention layer, expected an encoder to train");
  }
  hidden_.push_back(output_of(model_.program[head_begin_ - 1]));
}

std::vector<uint32_t> Network::tensor_groups() const {
  std::vector<uint32_t> groups(tensors_.size(), 0);
  // Layers that share their weights are of the last one's group, so that all are frozen or none.
  uint32_t layer = 0;
  const auto layers = static_cast<uint32_t>(hidden_.size() - 1);
  const auto mark = [&](int32_t tensor, uint32_t group) {
    if (tensor != kNone) {
      groups[static_cast<size_t>(tensor)] = std::max(groups[static_cast<size_t>(tensor)], group);
    }
  };
  const auto mark_matrix = [&](int32_t matrix, uint32_t group) {
    if (matrix != kNone) {
      mark(static_cast<int32_t>(model_.matrices[static_cast<size_t>(matrix)].weight), group);
      mark(model_.matrices[static_cast<size_t>(matrix)].bias, group);
    }
  };
  const auto mark_norm = [&](int32_t norm, uint32_t group) {
    if (norm != kNone) {
      mark(static_cast<int32_t>(model_.norms[static_cast<size_t>(norm)].weight), group);
      mark(model_.norms[static_cast<size_t>(norm)].bias, group);
    }
  };
  for (size_t place = 0; place < model_.program.size(); ++place) {
    const convert::Op& op = model_.program[place];
    if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      ++layer;
      for (const uint32_t matrix : {attention->query, attention->key, attention->value}) {
        mark_matrix(static_cast<int32_t>(matrix), layer);
      }
    }
    const uint32_t group = place >= head_begin_ ? layers + 1 : layer;
    if (const auto* linear = std::get_if<convert::LinearOp>(&op)) {
      mark_matrix(static_cast<int32_t>(linear->matrix), group);
      mark_matrix(linear->gate, group);
    } else if (const auto* sum = std::get_if<convert::AddNormOp>(&op)) {
      mark_norm(sum->norm, group);
    }
  }
  return groups;
}

uint32_t Network::heads_of_last() const {
  uint32_t heads = 0;
  for (const convert::Op& op : model_.program) {
    if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      heads = attention->heads;
    }
  }
  return heads;
}

Run Network::run(const Inputs& inputs, const std::vector<uint32_t>& keep, const Dropout& dropout) const {
  Run run;
  run.values.resize(model_.values.size());
  State state{inputs, dropout, run, {}};
  state.key_mask = torch::zeros(inputs.mask.sizes(), torch::TensorOptions(torch::kFloat32).device(device_))
                       .masked_fill(inputs.mask.logical_not(), kMasked)
                       .unsqueeze(1)
                       .unsqueeze(1);
  for (size_t place = 0; place < model_.program.size(); ++place) {
    const convert::Op& op = model_.program[place];
    std::visit([&](const auto& o) { apply(o, state); }, op);
    for_inputs(op, [&](uint32_t value) {
      if (last_use_[value] == place && std::find(keep.begin(), keep.end(), value) == keep.end()) {
        run.values[value] = Tensor();
      }
    });
  }
  return run;
}

Tensor Network::normalized(const Tensor& in, int32_t norm) const {
  if (norm == kNone) {
    return in;
  }
  const convert::Norm& facts = model_.norms[static_cast<size_t>(norm)];
  const Tensor& weight = tensors_[facts.weight];
  const Tensor bias = facts.bias == kNone ? torch::zeros_like(weight) : tensors_[static_cast<size_t>(facts.bias)];
  if (facts.kind == fmt::NormKind::affine) {
    return in * weight + bias;
  }
  return torch::layer_norm(in, {in.size(-1)}, weight, bias, static_cast<double>(facts.epsilon));
}

Tensor Network::projected(const Tensor& in, uint32_t matrix) const {
  const convert::Matrix& facts = model_.matrices[matrix];
  const Tensor& weight = tensors_[facts.weight];
  // One product of two matrices, whatever the batch.
  const Tensor rows = in.reshape({-1, in.size(-1)});
  const Tensor out = facts.bias == kNone ? torch::mm(rows, weight.t())
                                         : torch::addmm(tensors_[static_cast<size_t>(facts.bias)], rows, weight.t());
  std::vector<int64_t> shape = in.sizes().vec();
  shape.back() = weight.size(0);
  return out.reshape(shape);
}

void Network::apply(const convert::EmbedOp& op, State& state) const {
  const Inputs& inputs = state.inputs;
  Tensor sum;
  for (const convert::EmbedTable& entry : op.tables) {
    const Tensor& table = tensors_[entry.table];
    if (entry.column != 0 || table.size(1) != static_cast<int64_t>(model_.values[op.out].width)) {
      convert::refuse("the program puts embeddings side by side, which training does not know");
    }
    Tensor rows;
    if (entry.index == fmt::EmbedIndex::token) {
      rows = torch::embedding(table, inputs.ids);
    } else if (entry.index == fmt::EmbedIndex::type) {
      rows = torch::embedding(table, inputs.types.clamp_max(table.size(0) - 1));
    } else if (entry.index == fmt::EmbedIndex::position) {
      rows = table.slice(0, entry.base, entry.base + inputs.ids.size(1)).unsqueeze(0);
    } else if (entry.index == fmt::EmbedIndex::counted_position) {
      const int64_t padding = static_cast<int64_t>(entry.base) - 1;
      const Tensor counted = inputs.ids.ne(padding).to(torch::kLong);
      rows = torch::embedding(table, counted.cumsum(1) * counted + padding);
    } else {
      convert::refuse("the program embeds neighbouring tokens, which training does not know");
    }
    sum = sum.defined() ? sum + rows : rows;
  }
  state.run.values[op.out] = dropped(normalized(sum, op.norm), state.dropout.hidden);
}

void Network::apply(const convert::LinearOp& op, State& state) const {
  Tensor in = state.run.values[op.in];
  if (model_.matrices[op.matrix].head) {
    in = dropped(in, state.dropout.classifier);
  }
  Tensor out = activated(projected(in, op.matrix), op.activation);
  if (op.gate != kNone) {
    out = out * projected(in, static_cast<uint32_t>(op.gate));
  }
  state.run.values[op.out] = out;
}

void Network::apply(const convert::AttentionOp& op, State& state) const {
  auto& values = state.run.values;
  Projected& last = state.run.last;
  last = {projected(values[op.query_in], op.query), projected(values[op.key_in], op.key),
          projected(values[op.value_in], op.value)};
  const int64_t rows = last.query.size(0), columns = last.query.size(1);
  const auto heads = [&](const Tensor& in) {
    return in.reshape({rows, columns, op.heads, op.head_dim}).transpose(1, 2).contiguous();
  };
  // The program's scores have base 2.
  constexpr double kBase = std::numbers::ln2;
  const Tensor query = heads(last.query) * (static_cast<double>(op.logit_scale) * kBase);
  Tensor scores = torch::matmul(query, heads(last.key).transpose(2, 3)) + state.key_mask;
  if (op.relative_bias != kNone) {
    const Tensor& table = tensors_[static_cast<size_t>(op.relative_bias)];
    const int64_t reach = (table.size(1) - 1) / 2;
    const Tensor places = torch::arange(columns, torch::TensorOptions(torch::kInt64).device(device_));
    const Tensor distances = (places.unsqueeze(0) - places.unsqueeze(1)).clamp(-reach, reach) + reach;
    scores = scores + (table.index_select(1, distances.reshape({-1})) * kBase).reshape({1, op.heads, columns, columns});
  }
  const Tensor shares = dropped(torch::softmax(scores, -1), state.dropout.attention);
  values[op.out] =
      torch::matmul(shares, heads(last.value)).transpose(1, 2).reshape({rows, columns, op.heads * op.head_dim});
}

void Network::apply(const convert::AddNormOp& op, State& state) const {
  Tensor in = state.run.values[op.in];
  if (op.residual != kNone) {
    in = dropped(in, state.dropout.hidden) + state.run.values[static_cast<size_t>(op.residual)];
  }
  state.run.values[op.out] = normalized(in, op.norm);
}

void Network::apply(const convert::PoolOp& op, State& state) const {
  const Tensor& in = state.run.values[op.in];
  const Tensor mask = state.inputs.mask.unsqueeze(2);
  Tensor& out = state.run.values[op.out];
  if (op.kind == fmt::PoolKind::first) {
    out = in.select(1, 0);
  } else if (op.kind == fmt::PoolKind::max) {
    out = std::get<0>(in.masked_fill(mask.logical_not(), kMasked).max(1));
  } else {
    const Tensor counts = state.inputs.lengths.unsqueeze(1).to(torch::kFloat32);
    out =
        in.masked_fill(mask.logical_not(), 0).sum(1) / (op.kind == fmt::PoolKind::mean ? counts : torch::sqrt(counts));
  }
}

void Network::apply(const convert::NormalizeOp& op, State& state) const {
  const Tensor& in = state.run.values[op.in];
  state.run.values[op.out] = in / torch::sqrt((in * in).sum(-1, true)).clamp_min(1e-12);
}

void Network::apply(const convert::NeighboursOp&, State&) const {
  convert::refuse("the program has a convolution over tokens, which training does not know");
}

}  // namespace kinglet::train
