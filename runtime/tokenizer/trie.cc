// Checks a trie once, so that no walk needs to.
#include "tokenizer/trie.h"

namespace kinglet {

kinglet_status Trie::open(const flatbuffers::Vector<uint32_t>& units, uint32_t value_limit, const char* field,
                          Trie* out, Error& error) {
  const uint32_t size = units.size();
  const uint32_t* data = units.data();
  if (size < 256) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s: a trie has at least 256 units, this one %u", field, size);
  }
  for (uint32_t i = 0; i < size; ++i) {
    const uint32_t value = data[i] >> kShift;
    if (data[i] & kLeaf) {
      if (value >= value_limit) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s: unit %u has the value %u, expected less than %u", field, i,
                    value, value_limit);
      }
      continue;
    }
    if ((value | 0xff) >= size) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s: the children of unit %u lie at %u, beyond the %u units",
                  field, i, value, size);
    }
    if ((data[i] & kValue) != 0 && (data[value] & (0xff | kLeaf)) != kLeaf) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s: unit %u says that it has a value, but unit %u is none",
                  field, i, value);
    }
  }
  out->units_ = data;
  return KINGLET_OK;
}

}  // namespace kinglet
