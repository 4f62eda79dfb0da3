// How sure a metric is: the bootstrap.
#include "eval/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace kinglet::eval {

double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

namespace {

// Of the values that `value` gives for the samples.
template <typename Value>
std::optional<Interval> interval_of(size_t size, uint32_t resamples, uint32_t seed, Value value) {
  std::mt19937 random(seed);
  std::vector<uint32_t> sample(size);
  std::vector<double> values;
  for (uint32_t i = 0; i < resamples; ++i) {
    for (uint32_t& index : sample) {
      index = static_cast<uint32_t>((uint64_t{random()} * sample.size()) >> 32);
    }
    if (const std::optional<double> defined = value(sample)) {
      values.push_back(*defined);
    }
  }
  if (values.empty()) {
    return std::nullopt;
  }
  std::sort(values.begin(), values.end());
  const double tail = (1 - kBootstrapLevel) / 2;
  return Interval{quantile(values, tail), quantile(values, 1 - tail), static_cast<uint32_t>(values.size())};
}

}  // namespace

std::optional<Interval> bootstrap(const Scorer& scorer, const std::string& metric, uint32_t resamples, uint32_t seed) {
  return interval_of(scorer.size(), resamples, seed,
                     [&](const std::vector<uint32_t>& sample) { return scorer.value(metric, sample); });
}

std::optional<Interval> bootstrap_change(const Scorer& first, const Scorer& second, const std::string& metric,
                                         uint32_t resamples, uint32_t seed) {
  return interval_of(first.size(), resamples, seed, [&](const std::vector<uint32_t>& sample) -> std::optional<double> {
    const std::optional<double> before = first.value(metric, sample), after = second.value(metric, sample);
    return before && after ? std::optional<double>(*after - *before) : std::nullopt;
  });
}

}  // namespace kinglet::eval
