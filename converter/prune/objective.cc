// Random directions of outputs.
#include "prune/objective.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "prune/random.h"

namespace kinglet::convert {

namespace {

// r = (one label) − probabilities, over `count` logits that are `stride` apart.
void seed_softmax(const float* logits, size_t count, size_t stride, double draw, float* r) {
  float most = logits[0];
  for (size_t j = 1; j < count; ++j) {
    most = std::max(most, logits[j * stride]);
  }
  double sum = 0;
  for (size_t j = 0; j < count; ++j) {
    sum += std::exp(static_cast<double>(logits[j * stride] - most));
  }
  double below = 0;
  for (size_t j = 0; j < count; ++j) {
    const double share = std::exp(static_cast<double>(logits[j * stride] - most)) / sum;
    const bool chosen = draw >= below && (draw < below + share || j + 1 == count);
    r[j * stride] = static_cast<float>((chosen ? 1.0 : 0.0) - share);
    below += share;
  }
}

}  // namespace

Objective objective_of(const ModelIR& model) {
  if (model.task == fmt::Task::embed && model.embedding != kNone) {
    return {Loss::squared, static_cast<uint32_t>(model.embedding)};
  }
  if (model.outputs.empty()) {
    refuse("the model has no outputs, expected one that computes something");
  }
  const uint32_t value = model.outputs.front().value;
  switch (model.task) {
    case fmt::Task::classify:
      return {model.scoring == fmt::Scoring::softmax   ? Loss::softmax
              : model.scoring == fmt::Scoring::sigmoid ? Loss::sigmoid
                                                       : Loss::squared,
              static_cast<uint32_t>(model.logits)};
    case fmt::Task::tag:
    case fmt::Task::fill_mask:
      return {Loss::softmax, value};
    case fmt::Task::answer:
      return {Loss::softmax_text, value};
    default:
      return {Loss::squared, value};
  }
}

void seed_gradients(const Network& network, const Objective& objective, uint64_t seed, Tape& tape) {
  const size_t width = network.model().values[objective.value].width;
  const bool tokens = network.model().values[objective.value].extent == fmt::Extent::tokens;
  const std::vector<float>& out = tape.values[objective.value];
  std::vector<float>& r = tape.gradients[objective.value];
  r.assign(out.size(), 0);
  for (size_t text = tape.first; text < tape.last; ++text) {
    const size_t first = tokens ? tape.tokens->count(tape.first, text) : text - tape.first;
    const size_t rows = tokens ? tape.tokens->count(text, text + 1) : 1;
    if (objective.loss == Loss::softmax_text) {
      for (size_t column = 0; column < width; ++column) {
        const size_t at = first * width + column;
        seed_softmax(&out[at], rows, width, random_share(seed, text, column), &r[at]);
      }
      continue;
    }
    for (size_t row = 0; row < rows; ++row) {
      const size_t at = (first + row) * width;
      if (objective.loss == Loss::softmax) {
        seed_softmax(&out[at], width, 1, random_share(seed, text, row), &r[at]);
        continue;
      }
      for (size_t j = 0; j < width; ++j) {
        const double draw = random_share(seed, text, row * width + j);
        const double share =
            objective.loss == Loss::sigmoid ? 1 / (1 + std::exp(-static_cast<double>(out[at + j]))) : 0.5;
        r[at + j] = static_cast<float>(objective.loss == Loss::sigmoid ? (draw < share ? 1 : 0) - share
                                       : draw < 0.5                    ? 1.0
                                                                       : -1.0);
      }
    }
  }
}

}  // namespace kinglet::convert
