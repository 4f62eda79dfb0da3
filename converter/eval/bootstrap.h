// How sure a metric is: the bootstrap (Efron 1979). Examples are drawn with replacement, as many as there are, again
// and again; the interval holds the middle 95 % of the metrics of these samples.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "eval/evaluate.h"

namespace kinglet::eval {

constexpr uint32_t kBootstrapSeed = 1;
constexpr uint32_t kBootstrapResamples = 1000;
constexpr double kBootstrapLevel = 0.95;

struct Interval {
  double low = 0, high = 0;
  uint32_t resamples = 0;  // those that count: where the metric was defined
};

// The value below which the share `q` of the sorted `values` lies, between neighbours in proportion (numpy's default).
// Precondition: not empty.
double quantile(const std::vector<double>& sorted, double q);

// Deterministic, and the same on every machine: the example drawn is (x · size) >> 32 for the next x of std::mt19937.
// Nothing when no sample defines the metric. Precondition: fewer than 2^32 examples.
std::optional<Interval> bootstrap(const Scorer& scorer, const std::string& metric,
                                  uint32_t resamples = kBootstrapResamples, uint32_t seed = kBootstrapSeed);

// The same of second − first, both scored on the same samples: how sure a change is. Precondition: the same data.
std::optional<Interval> bootstrap_change(const Scorer& first, const Scorer& second, const std::string& metric,
                                         uint32_t resamples = kBootstrapResamples, uint32_t seed = kBootstrapSeed);

}  // namespace kinglet::eval
