// Random directions of outputs.
#include "prune/objective.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "prune/random.h"

namespace kinglet::convert {

namespace {

// Of `count` logits that are `stride` apart.
std::vector<double> softmax(const float* logits, size_t count, size_t stride) {
  float most = logits[0];
  for (size_t j = 1; j < count; ++j) {
    most = std::max(most, logits[j * stride]);
  }
  std::vector<double> shares(count);
  double sum = 0;
  for (size_t j = 0; j < count; ++j) {
    shares[j] = std::exp(static_cast<double>(logits[j * stride] - most));
    sum += shares[j];
  }
  for (double& share : shares) {
    share /= sum;
  }
  return shares;
}

double sigmoid(float x) { return 1 / (1 + std::exp(-static_cast<double>(x))); }

// r = (one label) − probabilities.
void seed_softmax(const float* logits, size_t count, size_t stride, double draw, float* r) {
  const std::vector<double> shares = softmax(logits, count, stride);
  double below = 0;
  for (size_t j = 0; j < count; ++j) {
    const bool chosen = draw >= below && (draw < below + shares[j] || j + 1 == count);
    r[j * stride] = static_cast<float>((chosen ? 1.0 : 0.0) - shares[j]);
    below += shares[j];
  }
}

// p·log(p/q)
double surprise(double p, double q) {
  constexpr double kLeast = 1e-300;
  return p > 0 ? p * (std::log(p) - std::log(std::max(q, kLeast))) : 0;
}

double softmax_divergence(const float* exact, const float* logits, size_t count, size_t stride) {
  const std::vector<double> p = softmax(exact, count, stride), q = softmax(logits, count, stride);
  double sum = 0;
  for (size_t j = 0; j < count; ++j) {
    sum += surprise(p[j], q[j]);
  }
  return sum;
}

double number_divergence(Loss loss, float exact, float found) {
  if (loss == Loss::sigmoid) {
    const double p = sigmoid(exact), q = sigmoid(found);
    return surprise(p, q) + surprise(1 - p, 1 - q);
  }
  const double difference = static_cast<double>(found) - static_cast<double>(exact);
  return difference * difference / 2;
}

// The rows that the objective's value has for a text of a tape.
struct TextRows {
  size_t first, count;
};
TextRows rows_of(const Network& network, const Objective& objective, const Tape& tape, size_t text) {
  if (network.model().values[objective.value].extent != fmt::Extent::tokens) {
    return {text - tape.first, 1};
  }
  return {tape.tokens->count(tape.first, text), tape.tokens->count(text, text + 1)};
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
  const std::vector<float>& out = tape.values[objective.value];
  std::vector<float>& r = tape.gradients[objective.value];
  r.assign(out.size(), 0);
  for (size_t text = tape.first; text < tape.last; ++text) {
    const auto [first, rows] = rows_of(network, objective, tape, text);
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
        const double share = objective.loss == Loss::sigmoid ? sigmoid(out[at + j]) : 0.5;
        r[at + j] = static_cast<float>(objective.loss == Loss::sigmoid ? (draw < share ? 1 : 0) - share
                                       : draw < 0.5                    ? 1.0
                                                                       : -1.0);
      }
    }
  }
}

double divergence(const Network& network, const Objective& objective, const std::vector<float>& exact,
                  const Tape& tape) {
  const size_t width = network.model().values[objective.value].width;
  const std::vector<float>& found = tape.values[objective.value];
  double sum = 0;
  for (size_t text = tape.first; text < tape.last; ++text) {
    const auto [first, rows] = rows_of(network, objective, tape, text);
    const size_t begin = first * width, end = begin + rows * width;
    if (objective.loss == Loss::softmax_text) {
      for (size_t at = begin; at < begin + width; ++at) {
        sum += softmax_divergence(&exact[at], &found[at], rows, width);
      }
    } else if (objective.loss == Loss::softmax) {
      for (size_t at = begin; at < end; at += width) {
        sum += softmax_divergence(&exact[at], &found[at], width, 1);
      }
    } else {
      for (size_t at = begin; at < end; ++at) {
        sum += number_divergence(objective.loss, exact[at], found[at]);
      }
    }
  }
  return sum;
}

}  // namespace kinglet::convert
