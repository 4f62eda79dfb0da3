// A pickle reader that can build dictionaries of tensors and nothing else: no name outside a short list is resolved,
// nothing is ever called. Memory and time are linear in the pickle's size.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kinglet::convert {

// What a pickled tensor says of itself; nothing of it has been checked.
struct PickledTensor {
  std::string name;          // its key in the state dictionary
  std::string storage_type;  // "FloatStorage", …
  std::string storage_key;   // the entry data/<key>
  uint64_t storage_elements = 0;
  uint64_t storage_offset = 0;  // in elements
  std::vector<uint64_t> shape;
  std::vector<uint64_t> strides;  // in elements
};

struct PickledStorage {
  std::string type, key;
  uint64_t elements = 0;
};

// What stands before the numbers in a file from before PyTorch 1.6: a magic number, a version, facts about the machine,
// the state dictionary, and the keys of the storages whose bytes follow.
struct LegacyPickles {
  std::vector<PickledTensor> tensors;
  std::vector<PickledStorage> storages;  // in the order of their bytes
  uint64_t end = 0;                      // where these begin
};

// The tensors of a pickled state dictionary, in its order. One level of wrapping ("state_dict", "model_state_dict",
// "model") is looked through; entries that are not tensors are left out. Throws Error for every name that is not
// allowed (collections.OrderedDict, torch._utils._rebuild_tensor and _v2, torch._utils._rebuild_parameter,
// torch.*Storage), every other opcode, and all malformed input. `name` stands in the errors.
std::vector<PickledTensor> read_pickle(std::span<const uint8_t> bytes, const std::string& name);

// The same for the beginning of a file from before PyTorch 1.6.
LegacyPickles read_legacy_pickles(std::span<const uint8_t> bytes, const std::string& name);

}  // namespace kinglet::convert
