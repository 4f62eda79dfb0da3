// The layers of a program that can be pruned: BERT's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

inline constexpr size_t kLayerOps = 6;

// Six ops: Attention, Linear, AddNorm, Linear (with activation), Linear, AddNorm.
struct EncoderLayer {
  size_t op = 0;                         // the first
  uint32_t in = 0, middle = 0, out = 0;  // values: before the layer, between attention and feed-forward, after it
  uint32_t attended = 0, activated = 0;  // values: what the two last products of the parts read
  uint32_t query = 0, key = 0, value = 0, output = 0, up = 0, down = 0;  // matrices
  uint32_t heads = 0, head_dim = 0, neurons = 0;
};

// All of them, in order. Throws Error for a family whose layers are not BERT's or share their weights; the message
// names it and those that can be pruned.
std::vector<EncoderLayer> find_layers(const ModelIR& model);

}  // namespace kinglet::convert
