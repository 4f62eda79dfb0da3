// What the loss says of every part of a layer: Fisher information, from one run over some texts and back.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "prune/layers.h"
#include "prune/objective.h"

namespace kinglet::convert {

// Of one residual branch: attention or feed-forward. "The output" is that of its last product, before the residual.
struct Branch {
  std::vector<float> tokens;    // every token's: the squared length of the loss's gradient at the output
  std::vector<double> outputs;  // of the output's numbers, [hidden][hidden]: Σ g·gᵀ
};
struct Importance {
  std::vector<Branch> attention, feed_forward;  // by layer
};

using Fraction = std::function<void(double)>;

Importance measure_importance(const Network& network, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
                              const Objective& objective, uint64_t seed, size_t threads, const Fraction& progress);

// Texts [first, last) that are run together: about `tokens` tokens, one text at least.
struct Chunk {
  size_t first, last;
};
std::vector<Chunk> split_texts(const Tokens& tokens, size_t first, size_t last, size_t count);

}  // namespace kinglet::convert
