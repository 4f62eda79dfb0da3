// The ops of a program, backwards.
#include <algorithm>
#include <cmath>
#include <functional>

#include "prune/activation.h"
#include "prune/attention.h"
#include "prune/network.h"
#include "prune/rows.h"

namespace kinglet::convert {

void Network::backward(Tape& tape, size_t begin, size_t end) const {
  for (size_t i = end; i-- > begin;) {
    std::visit(
        [&](const auto& op) {
          if (!tape.gradients[op.out].empty()) {
            reverse(tape, i, op);
          }
        },
        model_.program[i]);
  }
}

std::vector<float>& Network::gradient(Tape& tape, uint32_t value) const {
  if (tape.gradients[value].empty()) {
    tape.gradients[value].assign(rows_of(tape, value) * model_.values[value].width, 0);
  }
  return tape.gradients[value];
}

void Network::reverse_product(const std::vector<float>& out_gradient, const Dense& matrix,
                              std::vector<float>& gradient) const {
  multiply({out_gradient.data(), matrix.rows, 1}, out_gradient.size() / matrix.rows, matrix.backward, gradient.data(),
           matrix.columns, true);
}

// ---- Ops ----

void Network::reverse(Tape&, size_t, const EmbedOp&) const {}

void Network::reverse(Tape& tape, size_t index, const LinearOp& op) const {
  std::vector<float> slope = tape.gradients[op.out];
  if (op.activation != fmt::Activation::none) {
    for (size_t i = 0; i < slope.size(); ++i) {
      slope[i] *= activation_slope(op.activation, tape.kept[index][i]);
    }
  }
  reverse_product(slope, matrices_[op.matrix], gradient(tape, op.in));
}

void Network::reverse(Tape& tape, size_t index, const AttentionOp& op) const {
  const size_t width = model_.values[op.out].width, rows = tape.rows();
  const float *query = tape.kept[index].data(), *key = query + rows * width, *value = key + rows * width;
  const float* probabilities = value + rows * width;
  const std::vector<float>& out_gradient = tape.gradients[op.out];
  std::vector<float> parts[3];
  for (std::vector<float>& part : parts) {
    part.assign(rows * width, 0);
  }
  for (size_t text = tape.first; text < tape.last; ++text) {
    const size_t count = tape.tokens->count(text, text + 1), place = tape.tokens->count(tape.first, text) * width;
    for (uint32_t head = 0; head < op.heads; ++head, probabilities += count * count) {
      const size_t first = place + head * op.head_dim;
      const HeadRows rows_of_head = {query + first, key + first, value + first, count,
                                     op.head_dim,   width,       op.logit_scale};
      attend_backward(rows_of_head, probabilities, &out_gradient[first], &parts[0][first], &parts[1][first],
                      &parts[2][first]);
    }
  }
  std::vector<float>& in_gradient = gradient(tape, op.query_in);
  reverse_product(parts[0], matrices_[op.query], in_gradient);
  reverse_product(parts[1], matrices_[op.key], in_gradient);
  reverse_product(parts[2], matrices_[op.value], in_gradient);
}

void Network::reverse(Tape& tape, size_t, const AddNormOp& op) const {
  const std::vector<float>& out_gradient = tape.gradients[op.out];
  std::vector<float> slope(out_gradient.size());
  if (op.norm == kNone) {
    slope = out_gradient;
  } else {
    std::vector<float> sum = tape.values[op.in];
    if (op.residual != kNone) {
      const std::vector<float>& residual = tape.values[static_cast<size_t>(op.residual)];
      std::transform(sum.begin(), sum.end(), residual.begin(), sum.begin(), std::plus<float>());
    }
    normalize_backward(model_.norms[static_cast<size_t>(op.norm)], tensors_, model_.values[op.out].width, sum,
                       out_gradient, slope);
  }
  const auto add = [&](uint32_t value) {
    std::vector<float>& to = gradient(tape, value);
    std::transform(to.begin(), to.end(), slope.begin(), to.begin(), std::plus<float>());
  };
  add(op.in);
  if (op.residual != kNone) {
    add(static_cast<uint32_t>(op.residual));
  }
}

void Network::reverse(Tape& tape, size_t, const PoolOp& op) const {
  const size_t width = model_.values[op.out].width;
  const std::vector<float>& out_gradient = tape.gradients[op.out];
  std::vector<float>& to = gradient(tape, op.in);
  for (size_t text = tape.first; text < tape.last; ++text) {
    const size_t count = tape.tokens->count(text, text + 1), from = tape.tokens->count(tape.first, text) * width;
    const size_t rows = op.kind == fmt::PoolKind::first ? 1 : count;
    const float factor = pool_factor(op.kind, count);
    const size_t place = (text - tape.first) * width;
    for (size_t row = 0; row < rows; ++row) {
      for (size_t j = 0; j < width; ++j) {
        const size_t at = from + row * width + j;
        const bool passes = op.kind != fmt::PoolKind::max || tape.values[op.in][at] == tape.values[op.out][place + j];
        to[at] += passes ? factor * out_gradient[place + j] : 0;
      }
    }
  }
}

void Network::reverse(Tape& tape, size_t, const NormalizeOp& op) const {
  const size_t width = model_.values[op.out].width;
  const std::vector<float>&out = tape.values[op.out], &in = tape.values[op.in];
  const std::vector<float>& out_gradient = tape.gradients[op.out];
  std::vector<float>& to = gradient(tape, op.in);
  for (size_t row = 0; row < out.size(); row += width) {
    const float length = std::max(length_of(&in[row], width), kLeastLength);
    float along = 0;
    for (size_t j = 0; j < width; ++j) {
      along += out[row + j] * out_gradient[row + j];
    }
    for (size_t j = 0; j < width; ++j) {
      to[row + j] += (out_gradient[row + j] - out[row + j] * along) / length;
    }
  }
}

void Network::reverse(Tape&, size_t, const NeighboursOp&) const {}  // refused

}  // namespace kinglet::convert
