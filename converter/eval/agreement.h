// How far two models agree on the same data, whatever the truth is.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "eval/evaluate.h"

namespace kinglet::eval {

struct Difference {
  size_t example = 0;
  std::string first, second;  // the two answers, for a person
};

struct Agreement {
  // kLabels: texts with equal labels; kTags: words with equal tags; kAnswers: equal spans. Of `count`.
  size_t equal = 0, count = 0;
  double share = 0;
  // kEmbeddings: of the two embeddings of each text; the least is that of example `least_example`.
  double mean_cosine = 0, least_cosine = 0;
  size_t least_example = 0;
  // kNumbers, and kEmbeddings with pairs: of the numbers, or the cosines of the pairs.
  double mean_difference = 0, largest_difference = 0;
  // The examples that are answered differently, in the order of the data; for numbers and pairs those whose number
  // changed by more than half a unit of the fourth decimal, the largest change first.
  std::vector<Difference> differences;
};

// Both must come from the same data, those of embedding models with outputs kept. Throws convert::Error when their
// embeddings have different widths.
Agreement agree(const Data& data, const Predictions& first, const Predictions& second);

}  // namespace kinglet::eval
