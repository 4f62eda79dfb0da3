// The order of an epoch, and batches from examples.
#include "train/batches.h"

#include <algorithm>
#include <numeric>

#include "train/numbers.h"

namespace kinglet::train {

namespace {

std::vector<std::vector<size_t>> cut(const std::vector<size_t>& order, uint32_t size) {
  std::vector<std::vector<size_t>> batches;
  for (size_t begin = 0; begin < order.size(); begin += size) {
    const size_t end = std::min(begin + size, order.size());
    batches.emplace_back(order.begin() + static_cast<std::ptrdiff_t>(begin),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return batches;
}

void sort_by_length(const std::vector<Example>& examples, std::vector<size_t>::iterator begin,
                    std::vector<size_t>::iterator end) {
  std::stable_sort(begin, end, [&](size_t a, size_t b) { return examples[a].ids.size() > examples[b].ids.size(); });
}

}  // namespace

std::vector<std::vector<size_t>> epoch_batches(const std::vector<Example>& examples, uint32_t size, uint64_t seed,
                                               uint64_t epoch, uint32_t window) {
  const uint64_t own = mix_seed(seed, 2 * epoch + 1);
  std::vector<size_t> order = shuffled(examples.size(), own);
  const size_t step = size_t{size} * window;
  for (size_t begin = 0; begin < order.size(); begin += step) {
    const size_t end = std::min(begin + step, order.size());
    sort_by_length(examples, order.begin() + static_cast<std::ptrdiff_t>(begin),
                   order.begin() + static_cast<std::ptrdiff_t>(end));
  }
  const std::vector<std::vector<size_t>> batches = cut(order, size);
  std::vector<std::vector<size_t>> mixed;
  for (const size_t place : shuffled(batches.size(), mix_seed(own, 1))) {
    mixed.push_back(batches[place]);
  }
  return mixed;
}

std::vector<std::vector<size_t>> sorted_batches(const std::vector<Example>& examples, uint32_t size) {
  std::vector<size_t> order(examples.size());
  std::iota(order.begin(), order.end(), size_t{0});
  sort_by_length(examples, order.begin(), order.end());
  return cut(order, size);
}

Batch make_batch(Kind kind, const std::vector<Example>& examples, const std::vector<size_t>& places) {
  Batch batch;
  batch.rows = static_cast<uint32_t>(places.size());
  for (const size_t place : places) {
    batch.columns = std::max(batch.columns, static_cast<uint32_t>(examples[place].ids.size()));
  }
  const size_t cells = size_t{batch.rows} * batch.columns;
  batch.ids.assign(cells, 0);
  batch.types.assign(cells, 0);
  if (kind == Kind::tag) {
    batch.labels.assign(cells, kNoLabel);
  }
  batch.examples = places;
  for (size_t row = 0; row < places.size(); ++row) {
    const Example& example = examples[places[row]];
    const auto begin = static_cast<std::ptrdiff_t>(row * batch.columns);
    std::copy(example.ids.begin(), example.ids.end(), batch.ids.begin() + begin);
    std::copy(example.types.begin(), example.types.end(), batch.types.begin() + begin);
    batch.lengths.push_back(static_cast<int64_t>(example.ids.size()));
    if (kind == Kind::classify) {
      batch.labels.push_back(example.label);
    } else if (kind == Kind::regress) {
      batch.scores.push_back(example.score);
    } else if (kind == Kind::tag) {
      std::copy(example.tags.begin(), example.tags.end(), batch.labels.begin() + begin);
    } else {
      batch.labels.push_back(example.begin);
      batch.labels.push_back(example.end);
    }
  }
  return batch;
}

}  // namespace kinglet::train
