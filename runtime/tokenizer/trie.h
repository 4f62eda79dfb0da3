// The double-array trie of tokenizer.fbs: one load and one compare per byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "tokenizer_generated.h"

namespace kinglet {

// A view of units that live in the model file. A node is a unit's contents; kNone is "not in the trie".
class Trie {
 public:
  static constexpr uint32_t kNone = 0;

  // Checks that no unit leads out of the array and that every value is below `value_limit`. `field` names the trie in
  // the message.
  static kinglet_status open(const flatbuffers::Vector<uint32_t>& units, uint32_t value_limit, const char* field,
                             Trie* out, Error& error);

  uint32_t root() const { return units_[0]; }

  // From the root, or from any node that is not kNone.
  uint32_t step(uint32_t node, uint8_t byte) const {
    if (node & kLeaf) {
      return kNone;
    }
    const uint32_t label = byte == 0 ? 0xffu : byte;
    const uint32_t child = units_[(node >> kShift) ^ label];
    return (child & 0xff) == label ? child : kNone;
  }
  uint32_t step(uint32_t node, const uint8_t* bytes, size_t count) const {
    for (size_t i = 0; i < count && (i == 0 || node != kNone); ++i) {
      node = step(node, bytes[i]);
    }
    return node;
  }

  static bool has_value(uint32_t node) { return (node & (kLeaf | kValue)) != 0; }
  // What the units themselves are, for checks of all values.
  static bool is_leaf(uint32_t unit) { return (unit & kLeaf) != 0; }
  static uint32_t leaf_value(uint32_t unit) { return unit >> kShift; }
  uint32_t value(uint32_t node) const { return (node & kLeaf ? node : units_[node >> kShift]) >> kShift; }

 private:
  static constexpr uint32_t kLeaf = 1 << 8;
  static constexpr uint32_t kValue = 1 << 9;
  static constexpr int kShift = 10;

  const uint32_t* units_ = nullptr;
};

}  // namespace kinglet
