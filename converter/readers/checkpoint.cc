// Finds and lists a checkpoint's weights.
#include "readers/checkpoint.h"

#include <algorithm>
#include <optional>
#include <set>
#include <system_error>

#include "base/json_file.h"
#include "base/text.h"
#include "readers/pytorch.h"
#include "readers/safetensors.h"
#include "readers/tensorflow.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(fs::symlink_status(path, ignored));
}

std::vector<StoredTensor> read_weights(const fs::path& path, Checkpoint* checkpoint) {
  const auto file = open_file(path);
  checkpoint->files.push_back(path);
  checkpoint->bytes += file->size();
  return path.extension() == ".safetensors" ? read_safetensors(file) : read_pytorch(file);
}

Checkpoint open_single(const fs::path& path) {
  Checkpoint checkpoint;
  for (StoredTensor& tensor : read_weights(path, &checkpoint)) {
    const std::string name = tensor.name;
    if (!checkpoint.tensors.emplace(name, std::move(tensor)).second) {
      refuse(path.string(), ": has the tensor ", quote(name), " twice");
    }
  }
  return checkpoint;
}

// The map of an index file: tensor → shard, each shard a plain file name.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const JsonObject index = JsonObject::load(path);
  const Json* map = index.find("weight_map");
  if (map == nullptr || !map->is_object()) {
    index.refuse_field("weight_map", "an object of tensor names and shard files");
  }
  std::map<std::string, std::string> shards;
  for (const auto& [tensor, shard] : map->items()) {
    if (!shard.is_string()) {
      refuse(path.string(), ": weight_map: the shard of ", quote(tensor), " is not a string");
    }
    const std::string name = shard.get<std::string>();
    if (name.empty() || name == "." || name == ".." || name.find_first_of(std::string("/\\\0", 3)) != name.npos) {
      refuse(path.string(), ": weight_map: the shard of ", quote(tensor), " is ", quote(name),
             ", expected the name of a file in the same folder");
    }
    shards[tensor] = name;
  }
  return shards;
}

Checkpoint open_sharded(const fs::path& index_path) {
  const auto shard_of = read_index(index_path);
  const fs::path folder = index_path.parent_path();
  Checkpoint checkpoint;
  std::map<std::string, std::map<std::string, StoredTensor>> shards;
  for (const auto& [tensor, shard] : shard_of) {
    if (shards.count(shard) != 0) {
      continue;
    }
    if (!is_there(folder / shard)) {
      refuse(index_path.string(), ": names the shard ", quote(shard), ", which is not in the folder");
    }
    auto& tensors = shards[shard];
    for (StoredTensor& stored : read_weights(folder / shard, &checkpoint)) {
      const std::string name = stored.name;
      tensors[name] = std::move(stored);
    }
  }
  for (const auto& [tensor, shard] : shard_of) {
    const auto found = shards[shard].find(tensor);
    if (found == shards[shard].end()) {
      refuse(index_path.string(), ": says that the tensor ", quote(tensor), " is in ", quote(shard),
             ", but it is not there");
    }
    checkpoint.tensors.emplace(tensor, std::move(found->second));
  }
  return checkpoint;
}

Checkpoint open_tensorflow(const fs::path& index) {
  Checkpoint checkpoint;
  for (StoredTensor& tensor : read_tensorflow(index, &checkpoint.files)) {
    const std::string name = tensor.name;
    if (!checkpoint.tensors.emplace(name, std::move(tensor)).second) {
      refuse(index.string(), ": has two variables for ", quote(name));
    }
  }
  for (const fs::path& file : checkpoint.files) {
    checkpoint.bytes += fs::file_size(file);
  }
  return checkpoint;
}

// The index of the TensorFlow checkpoint in a folder (bert_model.ckpt.index, model.ckpt-best.index), if any.
std::optional<fs::path> find_tensorflow(const fs::path& folder) {
  std::optional<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.find(".ckpt") == name.npos || entry.path().extension() != ".index") {
      continue;
    }
    if (found) {
      refuse(folder.string(), ": has several TensorFlow checkpoints, such as ", quote(found->filename().string()),
             " and ", quote(name), ", expected one of them as the source");
    }
    found = entry.path();
  }
  return found;
}

bool is_index(const fs::path& path) {
  return path.filename().string().ends_with(".index.json");
}

// What other frameworks left in the folder, for the error.
std::string foreign_weights(const fs::path& folder) {
  for (const char* name : {"tf_model.h5", "flax_model.msgpack", "rust_model.ot", "openvino_model.bin", "model.onnx",
                           "onnx/model.onnx", "model_quantized.onnx"}) {
    if (is_there(folder / name)) {
      return std::string(" (it has ") + name + ", which is not read)";
    }
  }
  return "";
}

// The index whose shards include `file`, if any.
std::optional<fs::path> index_of_shard(const fs::path& folder, const fs::path& file) {
  for (const char* name : {"model.safetensors.index.json", "pytorch_model.bin.index.json"}) {
    if (!is_there(folder / name)) {
      continue;
    }
    for (const auto& [tensor, shard] : read_index(folder / name)) {
      if (shard == file.filename().string()) {
        return folder / name;
      }
    }
  }
  return std::nullopt;
}

}  // namespace

Checkpoint open_checkpoint(const fs::path& folder, const fs::path& file) {
  if (!file.empty() && file.extension() == ".index") {
    return open_tensorflow(file);
  }
  if (!file.empty()) {
    const auto index = index_of_shard(folder, file);
    return index ? open_sharded(*index) : open_single(file);
  }
  for (const char* name :
       {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (is_there(folder / name)) {
      return is_index(name) ? open_sharded(folder / name) : open_single(folder / name);
    }
  }
  if (const auto index = find_tensorflow(folder)) {
    return open_tensorflow(*index);
  }
  refuse(folder.string(), ": has no weights", foreign_weights(folder),
         ", expected model.safetensors or pytorch_model.bin, whole or in shards with an index");
}

}  // namespace kinglet::convert
