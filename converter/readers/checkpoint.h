// A checkpoint's weights: the files of a folder, single or in shards, as one list of tensors by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "readers/stored_tensor.h"

namespace kinglet::convert {

struct Checkpoint {
  std::map<std::string, StoredTensor> tensors;
  std::vector<std::filesystem::path> files;
  uint64_t bytes = 0;  // of all files
};

// Opens the weights of `folder`: `file` where it is not empty, or else the first that there is of model.safetensors,
// model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json, or the index of a TensorFlow
// checkpoint. A `file` that is a shard stands for all of them. Throws Error.
Checkpoint open_checkpoint(const std::filesystem::path& folder, const std::filesystem::path& file);

}  // namespace kinglet::convert
