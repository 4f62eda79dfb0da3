// How far two models agree on the same data.
#include "eval/agreement.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/text.h"

namespace kinglet::eval {

namespace {

constexpr double kVisible = 0.5e-4;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.4f", value);
  return text;
}

std::string join(const std::vector<std::string>& tags) {
  std::string text;
  for (const std::string& tag : tags) {
    text += (text.empty() ? "" : " ") + tag;
  }
  return text;
}

void compare_numbers(const std::vector<double>& first, const std::vector<double>& second, Agreement* result) {
  std::vector<size_t> changed;
  for (size_t i = 0; i < first.size(); ++i) {
    const double difference = std::fabs(first[i] - second[i]);
    result->mean_difference += difference / static_cast<double>(first.size());
    result->largest_difference = std::max(result->largest_difference, difference);
    if (difference > kVisible) {
      changed.push_back(i);
    }
  }
  std::stable_sort(changed.begin(), changed.end(), [&](size_t a, size_t b) {
    return std::fabs(first[a] - second[a]) > std::fabs(first[b] - second[b]);
  });
  for (const size_t i : changed) {
    result->differences.push_back({i, number(first[i]), number(second[i])});
  }
}

void compare_embeddings(const Data& data, const Predictions& first, const Predictions& second, Agreement* result) {
  if (first.width != second.width) {
    convert::refuse("the embeddings of the two models have ", first.width, " and ", second.width,
                    " numbers; expected as many");
  }
  const size_t per_example = data.table.has_pair ? 2 : 1;
  result->count = data.size() * per_example;
  result->least_cosine = 1;
  for (size_t i = 0; i < result->count; ++i) {
    const double value = cosine(&first.outputs[i * first.width], &second.outputs[i * first.width], first.width);
    result->mean_cosine += value / static_cast<double>(result->count);
    if (value < result->least_cosine) {
      result->least_cosine = value;
      result->least_example = i / per_example;
    }
  }
}

}  // namespace

Agreement agree(const Data& data, const Predictions& first, const Predictions& second) {
  Agreement result;
  const size_t examples = data.size();
  const auto note = [&](size_t i, const std::string& a, const std::string& b) {
    result.differences.push_back({i, a, b});
  };
  switch (data.kind) {
    case Kind::kLabels:
      result.count = examples;
      for (size_t i = 0; i < examples; ++i) {
        if (first.labels[i] == second.labels[i]) {
          ++result.equal;
        } else {
          note(i, data.labels[first.labels[i]], data.labels[second.labels[i]]);
        }
      }
      break;
    case Kind::kTags:
      for (size_t i = 0; i < examples; ++i) {
        size_t equal = 0;
        for (size_t word = 0; word < first.tags[i].size(); ++word) {
          equal += first.tags[i][word] == second.tags[i][word] ? 1 : 0;
        }
        result.equal += equal;
        result.count += first.tags[i].size();
        if (equal != first.tags[i].size()) {
          note(i, join(first.tags[i]), join(second.tags[i]));
        }
      }
      break;
    case Kind::kAnswers:
      result.count = examples;
      for (size_t i = 0; i < examples; ++i) {
        if (first.spans[i].begin == second.spans[i].begin && first.spans[i].end == second.spans[i].end) {
          ++result.equal;
        } else {
          note(i, first.answers[i], second.answers[i]);
        }
      }
      break;
    case Kind::kEmbeddings:
      compare_embeddings(data, first, second, &result);
      if (data.table.has_pair) {
        compare_numbers(first.numbers, second.numbers, &result);
      }
      break;
    case Kind::kNumbers:
      result.count = examples;
      compare_numbers(first.numbers, second.numbers, &result);
      break;
  }
  result.share = result.count == 0 ? 0 : static_cast<double>(result.equal) / static_cast<double>(result.count);
  return result;
}

}  // namespace kinglet::eval
