// The ops of a program, forwards.
#include "prune/network.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/text.h"
#include "prune/activation.h"
#include "prune/attention.h"
#include "prune/rows.h"

namespace kinglet::convert {

namespace {

void refuse_unknown(const ModelIR& model) {
  for (const Op& op : model.program) {
    const auto* linear = std::get_if<LinearOp>(&op);
    const auto* attention = std::get_if<AttentionOp>(&op);
    const bool foreign = (linear != nullptr && linear->gate != kNone) || std::holds_alternative<NeighboursOp>(op) ||
                         (attention != nullptr &&
                          (attention->rotary != kNone || attention->window != 0 ||
                           attention->disentangled.has_value() || attention->quantized ||
                           attention->query_in != attention->key_in || attention->query_in != attention->value_in));
    if (foreign) {
      refuse("the family ", quote(model.architecture), " cannot be pruned: its layers are not those of BERT");
    }
  }
}

}  // namespace

Network::Network(const ModelIR& model) : model_(model), tensors_(model.tensors.size()) {
  refuse_unknown(model);
  const auto load = [&](int32_t tensor) {
    if (tensor != kNone && tensors_[static_cast<size_t>(tensor)].empty()) {
      tensors_[static_cast<size_t>(tensor)] = model.tensors[static_cast<size_t>(tensor)].read_all();
    }
  };
  for (const Norm& norm : model.norms) {
    load(static_cast<int32_t>(norm.weight));
    load(norm.bias);
  }
  for (const Op& op : model.program) {
    if (const auto* embed = std::get_if<EmbedOp>(&op)) {
      for (const EmbedTable& table : embed->tables) {
        load(static_cast<int32_t>(table.table));
      }
    } else if (const auto* attention = std::get_if<AttentionOp>(&op)) {
      load(attention->relative_bias);
    }
  }
  matrices_.resize(model.matrices.size());
  for (uint32_t i = 0; i < model.matrices.size(); ++i) {
    const Tensor& weight = model.weight_of(i);
    const int32_t bias = model.matrices[i].bias;
    set_matrix(i, static_cast<uint32_t>(weight.rows()), static_cast<uint32_t>(weight.columns()), weight.read_all(),
               bias == kNone ? std::vector<float>(weight.rows()) : model.tensors[static_cast<size_t>(bias)].read_all());
  }
}

void Network::set_matrix(uint32_t matrix, uint32_t rows, uint32_t columns, std::vector<float> weight,
                         std::vector<float> bias) {
  Dense& dense = matrices_[matrix];
  dense = {rows, columns, std::move(weight), std::move(bias), {}, {}};
  dense.forward = PackedMatrix({dense.weight.data(), 1, columns}, columns, rows);
  dense.backward = PackedMatrix({dense.weight.data(), columns, 1}, rows, columns);
  for (const Op& op : model_.program) {
    if (const auto* linear = std::get_if<LinearOp>(&op); linear != nullptr && linear->matrix == matrix) {
      model_.values[linear->out].width = rows;
    }
  }
}

void Network::keep_heads(size_t index, const std::vector<uint32_t>& heads) {
  auto& op = std::get<AttentionOp>(model_.program[index]);
  std::vector<uint32_t> names = heads;
  if (const auto before = kept_heads_.find(index); before != kept_heads_.end()) {
    std::transform(heads.begin(), heads.end(), names.begin(), [&](uint32_t head) { return before->second[head]; });
  }
  kept_heads_[index] = std::move(names);
  op.heads = static_cast<uint32_t>(heads.size());
  model_.values[op.out].width = op.heads * op.head_dim;
}

Tape Network::tape(const Tokens& tokens, size_t first, size_t last, bool keep) const {
  Tape tape;
  tape.tokens = &tokens;
  tape.first = first;
  tape.last = last;
  tape.keep = keep;
  tape.values.resize(model_.values.size());
  tape.gradients.resize(model_.values.size());
  tape.kept.resize(model_.program.size());
  return tape;
}

void Network::forward(Tape& tape, size_t begin, size_t end) const {
  for (size_t i = begin; i < end; ++i) {
    std::visit([&](const auto& op) { run(tape, i, op); }, model_.program[i]);
  }
}

std::vector<float>& Network::make(Tape& tape, uint32_t value) const {
  tape.values[value].assign(rows_of(tape, value) * model_.values[value].width, 0);
  return tape.values[value];
}

void Network::product(const std::vector<float>& in, const Dense& matrix, std::vector<float>& out) const {
  const size_t rows = in.size() / matrix.columns;
  out.resize(rows * matrix.rows);
  multiply({in.data(), matrix.columns, 1}, rows, matrix.forward, out.data(), matrix.rows);
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < matrix.rows; ++j) {
      out[i * matrix.rows + j] += matrix.bias[j];
    }
  }
}

// ---- Ops ----

namespace {

// The row of `entry`'s table for a token of the text that starts at `begin`.
size_t table_row(const EmbedTable& entry, const Tokens& tokens, uint32_t begin, uint32_t token) {
  switch (entry.index) {
    case fmt::EmbedIndex::token: return static_cast<size_t>(tokens.ids[token]);
    case fmt::EmbedIndex::type: return static_cast<size_t>(tokens.types[token]);
    case fmt::EmbedIndex::counted_position: {
      const auto padding = static_cast<int64_t>(entry.base) - 1;
      if (tokens.ids[token] == padding) {
        return static_cast<size_t>(padding);
      }
      const auto first = tokens.ids.begin() + begin, last = tokens.ids.begin() + token;
      return token - begin + entry.base - static_cast<size_t>(std::count(first, last, padding));
    }
    default: return token - begin + entry.base;
  }
}

}  // namespace

void Network::run(Tape& tape, size_t, const EmbedOp& op) const {
  const size_t width = model_.values[op.out].width;
  std::vector<float>& out = make(tape, op.out);
  size_t row = 0;
  for (size_t text = tape.first; text < tape.last; ++text) {
    const uint32_t begin = tape.tokens->begins[text];
    for (uint32_t token = begin; token < tape.tokens->begins[text + 1]; ++token, ++row) {
      for (const EmbedTable& entry : op.tables) {
        const size_t index = table_row(entry, *tape.tokens, begin, token);
        const size_t columns = model_.tensors[entry.table].columns();
        for (size_t j = 0; j < columns; ++j) {
          out[row * width + entry.column + j] += tensors_[entry.table][index * columns + j];
        }
      }
    }
  }
  if (op.norm != kNone) {
    normalize_rows(model_.norms[static_cast<size_t>(op.norm)], tensors_, width, out);
  }
}

void Network::run(Tape& tape, size_t index, const LinearOp& op) const {
  std::vector<float>& out = tape.values[op.out];
  product(tape.values[op.in], matrices_[op.matrix], out);
  if (op.activation == fmt::Activation::none) {
    return;
  }
  if (tape.keep) {
    tape.kept[index] = out;
  }
  for (float& x : out) {
    x = activate(op.activation, x);
  }
}

DistanceBias Network::distance_bias(size_t index, const AttentionOp& op, uint32_t head) const {
  if (op.relative_bias == kNone) {
    return {};
  }
  const size_t columns = model_.tensors[static_cast<size_t>(op.relative_bias)].columns();
  if (const auto kept = kept_heads_.find(index); kept != kept_heads_.end()) {
    head = kept->second[head];
  }
  return {&tensors_[static_cast<size_t>(op.relative_bias)][head * columns], columns / 2};
}

void Network::run(Tape& tape, size_t index, const AttentionOp& op) const {
  const size_t width = model_.values[op.out].width, rows = tape.rows();
  const std::vector<float>& in = tape.values[op.query_in];
  std::vector<float> parts[3];
  product(in, matrices_[op.query], parts[0]);
  product(in, matrices_[op.key], parts[1]);
  product(in, matrices_[op.value], parts[2]);
  std::vector<float>& out = make(tape, op.out);
  std::vector<float> probabilities;
  std::vector<float>& kept = tape.kept[index];
  if (tape.keep) {
    kept.reserve(3 * rows * width);
    for (const std::vector<float>& part : parts) {
      kept.insert(kept.end(), part.begin(), part.end());
    }
  }
  for (size_t text = tape.first; text < tape.last; ++text) {
    const size_t place = tape.tokens->count(tape.first, text) * width;
    for (uint32_t head = 0; head < op.heads; ++head) {
      const size_t first = place + head * op.head_dim;
      const HeadRows rows_of_head = {
          &parts[0][first], &parts[1][first], &parts[2][first], tape.tokens->count(text, text + 1), op.head_dim, width,
          op.logit_scale};
      attend(rows_of_head, distance_bias(index, op, head), probabilities, &out[first]);
      if (tape.keep) {
        kept.insert(kept.end(), probabilities.begin(), probabilities.end());
      }
    }
  }
}

void Network::run(Tape& tape, size_t, const AddNormOp& op) const {
  std::vector<float>& out = tape.values[op.out];
  out = tape.values[op.in];
  if (op.residual != kNone) {
    const std::vector<float>& residual = tape.values[static_cast<size_t>(op.residual)];
    std::transform(out.begin(), out.end(), residual.begin(), out.begin(), std::plus<float>());
  }
  if (op.norm != kNone) {
    normalize_rows(model_.norms[static_cast<size_t>(op.norm)], tensors_, model_.values[op.out].width, out);
  }
}

void Network::run(Tape& tape, size_t, const PoolOp& op) const {
  const size_t width = model_.values[op.out].width;
  const std::vector<float>& in = tape.values[op.in];
  std::vector<float>& out = make(tape, op.out);
  for (size_t text = tape.first; text < tape.last; ++text) {
    const size_t count = tape.tokens->count(text, text + 1), from = tape.tokens->count(tape.first, text) * width;
    const size_t rows = op.kind == fmt::PoolKind::first ? 1 : count;
    float* to = &out[(text - tape.first) * width];
    std::copy_n(&in[from], width, to);
    for (size_t row = 1; row < rows; ++row) {
      for (size_t j = 0; j < width; ++j) {
        const float x = in[from + row * width + j];
        to[j] = op.kind == fmt::PoolKind::max ? std::max(to[j], x) : to[j] + x;
      }
    }
    const float factor = pool_factor(op.kind, count);
    std::for_each(to, to + width, [factor](float& x) { x *= factor; });
  }
}

void Network::run(Tape& tape, size_t, const NormalizeOp& op) const {
  const size_t width = model_.values[op.out].width;
  std::vector<float>& out = tape.values[op.out];
  out = tape.values[op.in];
  for (size_t row = 0; row < out.size(); row += width) {
    const float length = std::max(length_of(&out[row], width), kLeastLength);
    std::for_each(&out[row], &out[row] + width, [length](float& x) { x /= length; });
  }
}

void Network::run(Tape&, size_t, const NeighboursOp&) const {}  // refused

}  // namespace kinglet::convert
