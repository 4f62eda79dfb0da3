// Measures of how well predictions agree with the truth.
#include "eval/metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace kinglet::eval {

size_t count_equal(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted) {
  size_t equal = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    equal += truth[i] == predicted[i];
  }
  return equal;
}

double accuracy(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted) {
  return static_cast<double>(count_equal(truth, predicted)) / static_cast<double>(truth.size());
}

std::vector<std::vector<size_t>> confusion(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted,
                                           uint32_t labels) {
  std::vector<std::vector<size_t>> counts(labels, std::vector<size_t>(labels, 0));
  for (size_t i = 0; i < truth.size(); ++i) {
    ++counts[truth[i]][predicted[i]];
  }
  return counts;
}

double f1_of(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t label) {
  size_t both = 0, either = 0;  // either: TP + FN and TP + FP, that is 2·TP + FP + FN
  for (size_t i = 0; i < truth.size(); ++i) {
    both += truth[i] == label && predicted[i] == label;
    either += (truth[i] == label) + (predicted[i] == label);
  }
  return either == 0 ? 0.0 : 2.0 * static_cast<double>(both) / static_cast<double>(either);
}

double f1_macro(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t labels) {
  std::vector<size_t> both(labels, 0), either(labels, 0);  // as in f1_of
  for (size_t i = 0; i < truth.size(); ++i) {
    ++either[truth[i]];
    ++either[predicted[i]];
    both[truth[i]] += truth[i] == predicted[i];
  }
  double sum = 0;
  size_t count = 0;
  for (uint32_t label = 0; label < labels; ++label) {
    if (either[label] > 0) {
      sum += 2.0 * static_cast<double>(both[label]) / static_cast<double>(either[label]);
      ++count;
    }
  }
  return sum / static_cast<double>(count);
}

double f1_micro(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted) {
  return accuracy(truth, predicted);  // every wrong text is one FP and one FN
}

double f1(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t labels) {
  return labels == 2 ? f1_of(truth, predicted, 1) : f1_macro(truth, predicted, labels);
}

double matthews(const std::vector<uint32_t>& truth, const std::vector<uint32_t>& predicted, uint32_t labels) {
  std::vector<double> true_count(labels, 0), predicted_count(labels, 0);
  for (size_t i = 0; i < truth.size(); ++i) {
    ++true_count[truth[i]];
    ++predicted_count[predicted[i]];
  }
  const auto n = static_cast<double>(truth.size());
  const auto right = static_cast<double>(count_equal(truth, predicted));
  double products = 0, true_squares = 0, predicted_squares = 0;
  for (uint32_t label = 0; label < labels; ++label) {
    products += true_count[label] * predicted_count[label];
    true_squares += true_count[label] * true_count[label];
    predicted_squares += predicted_count[label] * predicted_count[label];
  }
  const double scale = std::sqrt(n * n - predicted_squares) * std::sqrt(n * n - true_squares);
  return scale == 0 ? 0.0 : (right * n - products) / scale;
}

std::optional<double> pearson(const std::vector<double>& a, const std::vector<double>& b) {
  const size_t n = a.size();
  if (n < 2) {
    return std::nullopt;
  }
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / static_cast<double>(n);
  const double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / static_cast<double>(n);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < n; ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  const auto constant = [](const std::vector<double>& v) {
    return std::all_of(v.begin(), v.end(), [&](double x) { return x == v[0]; });
  };
  const double scale = std::sqrt(aa) * std::sqrt(bb);
  if (scale == 0 || constant(a) || constant(b)) {
    return std::nullopt;
  }
  return std::clamp(ab / scale, -1.0, 1.0);
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (size_t begin = 0; begin < order.size();) {
    size_t end = begin + 1;
    while (end < order.size() && values[order[end]] == values[order[begin]]) {
      ++end;
    }
    const double rank = static_cast<double>(begin + 1 + end) / 2;  // the mean of begin + 1 … end
    for (; begin < end; ++begin) {
      result[order[begin]] = rank;
    }
  }
  return result;
}

std::optional<double> spearman(const std::vector<double>& a, const std::vector<double>& b) {
  return pearson(ranks(a), ranks(b));
}

}  // namespace kinglet::eval
