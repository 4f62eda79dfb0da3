// A checkpoint and everything beside it as a model in memory: what every command that reads checkpoints begins with.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "families/sentence_transformers.h"
#include "ir/model_ir.h"
#include "readers/source_folder.h"
#include "tokenizers/compile.h"

namespace kinglet::convert {

struct SourceModel {
  ModelIR model;  // with its limits, prompts and what tasks need to know; no pass has been over it
  std::unique_ptr<CompiledTokenizer> tokenizer;  // null for a checkpoint of ids only
  std::string provenance;
  std::vector<std::filesystem::path> files;  // of the weights
  uint64_t bytes = 0;                        // of these files
};

// What a path names, read as far as its config, its modules and the list of its tensors.
struct OpenedSource {
  SourcePaths paths;
  std::optional<SentenceModules> modules;  // of a sentence-transformers folder
  BuildRequest request;                    // for the transformer, as the checkpoint itself is; no task or labels asked for
};
OpenedSource open_source(const std::filesystem::path& source);

// Reads a Hugging Face or sentence-transformers folder, one of the hub cache, or a weights file inside one. `task` and
// `labels` stand instead of what the checkpoint says. Throws Error.
SourceModel read_source_model(const std::filesystem::path& source, const std::optional<std::string>& task,
                              const std::vector<std::string>& labels,
                              const std::function<void(const std::string& what, double fraction)>& progress);

}  // namespace kinglet::convert
