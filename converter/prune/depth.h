// Whole layers: which of them the outputs miss least, and a program without them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "prune/importance.h"
#include "prune/layers.h"
#include "prune/objective.h"

namespace kinglet::convert {

// Takes layers away one after the other until `keep` (one at least) are left: each time the one without which, nothing
// else changed, the outputs on a part of the texts stay nearest to the whole model's. The result says of every layer
// whether it is kept.
std::vector<bool> choose_layers(const Network& network, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
                                const Objective& objective, uint32_t keep, size_t threads, const Fraction& progress);

// The model without some of its layers: what read the result of one reads what that one read.
ModelIR without_layers(const ModelIR& model, const std::vector<EncoderLayer>& layers, const std::vector<bool>& kept);

}  // namespace kinglet::convert
