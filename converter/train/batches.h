// Which texts a step learns from. Everything follows from the seed and the number of the epoch, so that a run that is
// resumed goes on with the very same batches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "train/examples.h"

namespace kinglet::train {

// The batches of an epoch: examples are shuffled, sorted by length within windows of `window` batches, so that a batch
// has little filler, cut into batches of `size`, and the batches shuffled.
std::vector<std::vector<size_t>> epoch_batches(const std::vector<Example>& examples, uint32_t size, uint64_t seed,
                                               uint64_t epoch, uint32_t window = 32);

// All examples from the longest to the shortest, in batches: the order for what is computed once for each of them.
std::vector<std::vector<size_t>> sorted_batches(const std::vector<Example>& examples, uint32_t size);

// The examples of these places as a batch.
Batch make_batch(Kind kind, const std::vector<Example>& examples, const std::vector<size_t>& places);

}  // namespace kinglet::train
