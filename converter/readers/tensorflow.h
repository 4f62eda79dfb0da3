// TensorFlow's checkpoints (tensor_bundle.proto), as the original BERT and ALBERT are released: PREFIX.index names
// tensors, PREFIX.data-00000-of-00001 holds their bytes.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "readers/stored_tensor.h"

namespace kinglet::convert {

// Lists the tensors of a checkpoint under the names of transformers ("bert.encoder.layer.0.…"; matrices transposed),
// without an optimiser's variables. Appends the files that it opened to `files`. Throws Error.
std::vector<StoredTensor> read_tensorflow(const std::filesystem::path& index,
                                          std::vector<std::filesystem::path>* files);

// The same from the entries of an index that is called `name`; `open` opens one of its data files.
using OpenShard = std::function<std::shared_ptr<const InputFile>(uint64_t shard, uint64_t count)>;
std::vector<StoredTensor> read_bundle(const std::map<std::string, std::string>& entries, const std::string& name,
                                      const OpenShard& open);

// What transformers calls a variable of the original BERT, or ALBERT; "" for an optimiser's. `transposed` is set for a
// matrix whose rows are inputs.
std::string transformers_name(const std::string& variable, bool albert, bool* transposed);

}  // namespace kinglet::convert
