// Tensor names: what comes off, and what must be left.
#include "families/weights.h"

#include <algorithm>

#include "base/text.h"

namespace kinglet::convert {

namespace {

struct ForeignTensor {
  const char* pattern;
  const char* what;
};

// What other software puts beside or in place of weights.
constexpr ForeignTensor kForeignTensors[] = {
    {"*lora_?.*", "is part of a LoRA adapter, expected one that is merged into its base model"},
    {"*lora_embedding_?*", "is part of a LoRA adapter, expected one that is merged into its base model"},
    {"*.adapters.*", "is part of an adapter, expected one that is merged into its base model"},
    {"*.qweight", "is quantised already (GPTQ or AWQ), expected floating-point weights"},
    {"*.qzeros", "is quantised already (GPTQ or AWQ), expected floating-point weights"},
    {"*.absmax", "is quantised already (bitsandbytes), expected floating-point weights"},
    {"*.SCB", "is quantised already (bitsandbytes), expected floating-point weights"},
    {"*.quant_state.*", "is quantised already (bitsandbytes), expected floating-point weights"},
    {"*._packed_params*", "is quantised already (PyTorch), expected floating-point weights"},
};

void refuse_foreign(const StoredTensor& stored) {
  for (const ForeignTensor& foreign : kForeignTensors) {
    if (glob_match(foreign.pattern, stored.name)) {
      refuse(stored.file->name(), ": the tensor ", quote(stored.name), ' ', foreign.what);
    }
  }
}

}  // namespace

std::string strip_wrappers(std::string name) {
  bool stripped = true;
  while (stripped) {
    stripped = false;
    for (const std::string_view wrapper : {"module.", "_orig_mod.", "model."}) {
      if (name.starts_with(wrapper)) {
        name.erase(0, wrapper.size());
        stripped = true;
      }
    }
  }
  return name;
}

std::string canonical_name(const std::string& given, const std::vector<std::string>& prefixes) {
  std::string name = strip_wrappers(given);
  for (const std::string& prefix : prefixes) {
    if (name.starts_with(prefix)) {
      name.erase(0, prefix.size());
      break;
    }
  }
  for (const auto& [old_end, new_end] :
       {std::pair<std::string_view, std::string_view>{"LayerNorm.gamma", "weight"}, {"LayerNorm.beta", "bias"}}) {
    if (name.ends_with(old_end)) {
      name.replace(name.rfind('.') + 1, std::string::npos, new_end);
    }
  }
  return name;
}

Weights::Weights(Checkpoint checkpoint, const std::vector<std::string>& prefixes, std::string source)
    : source_(std::move(source)) {
  for (auto& [name, stored] : checkpoint.tensors) {
    refuse_foreign(stored);
    const std::string canonical = canonical_name(name, prefixes);
    const auto [place, added] = tensors_.emplace(canonical, stored);
    if (!added) {
      refuse(source_, ": the tensors ", quote(place->second.name), " and ", quote(name), " both stand for ",
             quote(canonical));
    }
  }
}

Tensor Weights::take(const std::string& name, const std::vector<uint32_t>& shape) {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    refuse(source_, ": the tensor ", quote(name), " ", shape_text(shape), " is missing");
  }
  const StoredTensor& stored = found->second;
  if (!std::equal(shape.begin(), shape.end(), stored.shape.begin(), stored.shape.end())) {
    refuse(stored.file->name(), ": the tensor ", quote(stored.name), " has the shape ", shape_text(stored.shape),
           ", expected ", shape_text(shape));
  }
  if (stored.type == ElementType::other) {
    refuse(stored.file->name(), ": the tensor ", quote(stored.name), " is of type ", quote(stored.type_name),
           ", expected a floating-point type (F32, F16, BF16 or F64)");
  }
  taken_.insert(name);
  return {name, shape, stored_source(stored, shape.back()), Storage::f32};
}

void Weights::refuse_unused(const std::vector<std::string>& ignorable) const {
  for (const auto& [name, stored] : tensors_) {
    const auto matches = [&name = name](const std::string& pattern) { return glob_match(pattern, name); };
    if (taken_.count(name) == 0 && stored.type != ElementType::other &&
        std::none_of(ignorable.begin(), ignorable.end(), matches)) {
      refuse(stored.file->name(), ": the tensor ", quote(stored.name), " ", shape_text(stored.shape),
             " has no place in the model that config.json describes");
    }
  }
}

}  // namespace kinglet::convert
