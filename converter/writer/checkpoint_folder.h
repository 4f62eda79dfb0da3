// Checkpoint folders that kinglet writes: what pruning and training give is a folder again, so that `convert` is the
// only door to a .kgl file, and transformers opens it too.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "ir/tensor.h"
#include "writer/output_folder.h"

namespace kinglet::convert {

// A Hugging Face or sentence-transformers folder to be written. All names of files are relative to the folder, with
// slashes.
struct CheckpointFolder {
  // Whose other small files and module folders are copied as they are; empty: none are. Weights of any format,
  // hidden files, folders that modules.json does not name and files of more than 64 MiB are left out.
  std::filesystem::path source;
  // Where config.json, model.safetensors and the tokenizer lie: "", or "0_Transformer" in old sentence-transformers
  // folders.
  std::string transformer;
  Json config;  // config.json, keys in their order
  // Written in the order of their names, as F32, to model.safetensors; the rows are asked for one MiB at a time. A
  // tensor of more than two dimensions is a matrix of its first and all others: its source has shape[0] rows. A scalar
  // has the shape [].
  std::vector<Tensor> tensors;
  // Instead of what the source has under the name: bytes, or nothing to leave it out.
  std::map<std::string, std::optional<std::string>> files;
  // What made this from another checkpoint, oldest first ("prune_vocabulary …"); stands in kinglet.json.
  std::vector<std::string> passes;
  // Looks at the written folder before it gets its name, where that is not empty; throws Error when it is not right.
  std::function<void(const std::filesystem::path& written)> check;

  // The name of a file beside config.json.
  std::string beside_config(const std::string& name) const {
    return transformer.empty() ? name : transformer + '/' + name;
  }
};

// All of a source as it is, for a caller to change and write: every floating-point tensor, lazily, under its full
// name (buffers of whole numbers, such as position_ids, are left out). In config the type of the numbers (torch_dtype,
// dtype) becomes float32. `source` is what `kinglet convert` takes; nothing may change it while this is in use. Throws
// Error.
CheckpointFolder read_checkpoint_folder(const std::filesystem::path& source);

// Throws Error when write_checkpoint_folder would refuse `out` (output_folder.h says when), or it lies in the source or
// around it: for asking before work that takes long.
void check_checkpoint_folder(const CheckpointFolder& folder, const std::filesystem::path& out);

// Writes the folder whole or not at all: under a temporary name beside `out`, flushed to the disk, renamed. `progress`
// gets the fraction done. Throws Error; nothing is left then. The same input gives the same bytes.
void write_checkpoint_folder(const CheckpointFolder& folder, const std::filesystem::path& out,
                             const std::function<void(double fraction)>& progress = {});

// The same files, but for kinglet.json, beside `out` under a name that is nobody's, for as long as this lives: for what
// must read a checkpoint from files before it is what it will be. Throws Error as write_checkpoint_folder does.
class StagedCheckpoint {
 public:
  StagedCheckpoint(const CheckpointFolder& folder, const std::filesystem::path& out,
                   const std::function<void(double fraction)>& progress = {});
  const std::filesystem::path& path() const { return files_->temporary(); }

 private:
  std::optional<OutputFolder> files_;
};

}  // namespace kinglet::convert
