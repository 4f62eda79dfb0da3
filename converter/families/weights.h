// A checkpoint's tensors under one spelling of their names, and an account of which of them the model has used.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ir/tensor.h"
#include "readers/checkpoint.h"

namespace kinglet::convert {

// A tensor's name without what wrappers put before it: "module.", "_orig_mod.", "model.", in any order.
std::string strip_wrappers(std::string name);

// A tensor's name as families know it: without wrappers, without the first of the prefixes that fits, and with weight
// and bias for the old LayerNorm.gamma and .beta.
std::string canonical_name(const std::string& given, const std::vector<std::string>& prefixes);

class Weights {
 public:
  // Strips what wrappers put before names, and then the first of the family's own
  // `prefixes` that fits ("bert."), and turns LayerNorm.gamma and .beta into .weight and .bias. Throws Error when two
  // tensors get the same name, and for what adapters and quantising tools leave. `source` (the folder) stands in the
  // errors.
  Weights(Checkpoint checkpoint, const std::vector<std::string>& prefixes, std::string source);

  bool has(const std::string& name) const { return tensors_.count(name) != 0; }

  // A tensor of exactly this shape and of a floating-point type. Throws Error when it is missing or different.
  Tensor take(const std::string& name, const std::vector<uint32_t>& shape);

  // Throws Error when a tensor was not taken that is neither of an integer type (position_ids and the like) nor matches
  // one of the glob patterns: it would change the result.
  void refuse_unused(const std::vector<std::string>& ignorable) const;

 private:
  std::map<std::string, StoredTensor> tensors_;
  std::set<std::string> taken_;
  std::string source_;
};

}  // namespace kinglet::convert
