// A knapsack over residual branches: which error to accept in each for what it costs.
#include "prune/budget.h"

#include <cmath>
#include <limits>

#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr size_t kSteps = 1 << 14;  // that the budget is divided into

struct Choice {
  uint32_t size;
  double cost, error;
};

// Every size that a branch can have, all but the empty one.
std::vector<Choice> choices_of(const Removal& removal, uint32_t inputs, uint32_t per_unit, double cost) {
  std::vector<Choice> choices = {{inputs / per_unit, inputs / per_unit * cost, 0}};
  for (size_t i = 0; i < removal.groups.size(); ++i) {
    inputs -= static_cast<uint32_t>(removal.groups[i].size());
    if (inputs > 0) {
      choices.push_back({inputs / per_unit, inputs / per_unit * cost, removal.errors[i]});
    }
  }
  return choices;
}

}  // namespace

Costs count_operations(const EncoderLayer& layer, uint32_t hidden, double length) {
  return {layer.head_dim * (4.0 * hidden + 2 * length), 2.0 * hidden, 0, 0};
}

double cost_of(const Sizes& sizes, const Costs& costs) {
  double sum = costs.rest;
  for (size_t i = 0; i < sizes.heads.size(); ++i) {
    sum += (sizes.has_layer(i) ? costs.layer : 0) + sizes.heads[i] * costs.head + sizes.neurons[i] * costs.neuron;
  }
  return sum;
}

Sizes choose_sizes(const std::vector<EncoderLayer>& layers, const Sizes& present, const Orders& orders,
                   const Costs& costs, double budget) {
  std::vector<std::vector<Choice>> branches;
  for (size_t i = 0; i < layers.size(); ++i) {
    branches.push_back(
        choices_of(orders.attention[i], present.heads[i] * layers[i].head_dim, layers[i].head_dim, costs.head));
    branches.push_back(choices_of(orders.feed_forward[i], present.neurons[i], 1, costs.neuron));
  }
  double left = budget - costs.rest;
  for (size_t i = 0; i < layers.size(); ++i) {
    left -= present.has_layer(i) ? costs.layer : 0;
  }
  constexpr double kNever = std::numeric_limits<double>::infinity();
  // least[s]: the least error of the branches so far at a cost of at most s steps.
  std::vector<double> least(kSteps + 1, 0);
  std::vector<std::vector<uint32_t>> taken;
  for (const std::vector<Choice>& choices : branches) {
    std::vector<double> next(kSteps + 1, kNever);
    taken.emplace_back(kSteps + 1, 0);
    for (uint32_t c = 0; c < choices.size(); ++c) {
      const double share = std::ceil(choices[c].cost / left * kSteps - 1e-9);
      if (!(left > 0) || share > static_cast<double>(kSteps)) {
        continue;
      }
      const auto steps = static_cast<size_t>(share);
      for (size_t s = steps; s <= kSteps; ++s) {
        if (least[s - steps] + choices[c].error < next[s]) {
          next[s] = least[s - steps] + choices[c].error;
          taken.back()[s] = c;
        }
      }
    }
    least = std::move(next);
  }
  if (least[kSteps] == kNever) {
    refuse("the target is too small: a head and a tile of neurons in every layer cost more, expected a larger one");
  }
  Sizes sizes = present;
  size_t rest = kSteps;
  for (size_t i = branches.size(); i-- > 0;) {
    const Choice& choice = branches[i][taken[i][rest]];
    (i % 2 == 0 ? sizes.heads : sizes.neurons)[i / 2] = choice.size;
    rest -= static_cast<size_t>(std::ceil(choice.cost / left * kSteps - 1e-9));
  }
  return sizes;
}

}  // namespace kinglet::convert
