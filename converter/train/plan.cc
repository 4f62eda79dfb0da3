// Rates by step and group.
#include "train/plan.h"

#include <algorithm>
#include <cmath>

namespace kinglet::train {

Plan make_plan(const Settings& settings, uint64_t batches, uint32_t groups) {
  Plan plan;
  plan.batches = batches;
  plan.groups = groups;
  plan.steps =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::llround(settings.epochs * static_cast<double>(batches))));
  if (settings.max_steps != 0) {
    plan.steps = std::min<uint64_t>(plan.steps, settings.max_steps);
  }
  plan.evaluate_every = std::max<uint64_t>(1, batches / settings.evaluations);
  return plan;
}

std::vector<double> rates_at(const Settings& settings, const Plan& plan, uint64_t step) {
  const auto steps = static_cast<double>(plan.steps), now = static_cast<double>(step);
  const double warmup = settings.warmup * steps;
  // Steps count from 0: the first already moves, and the last does too.
  const double factor = now + 1 < warmup ? (now + 1) / warmup : (steps - now) / std::max(steps - warmup + 1, 1.0);
  const uint32_t head = plan.groups - 1;
  uint32_t lowest = 0;
  if (settings.train == "head") {
    lowest = head;
  } else if (settings.train == "gradual") {
    const double unfrozen = std::floor(now / std::max(steps / 2, 1.0) * static_cast<double>(plan.groups));
    lowest = head - std::min<uint32_t>(head, static_cast<uint32_t>(unfrozen));
  }
  std::vector<double> rates(plan.groups, 0);
  for (uint32_t group = lowest; group < plan.groups; ++group) {
    const double base = group == head && settings.head_rate > 0 ? settings.head_rate : settings.rate;
    rates[group] = base * std::min(factor, 1.0) * std::pow(settings.layer_decay, static_cast<double>(head - group));
  }
  return rates;
}

}  // namespace kinglet::train
