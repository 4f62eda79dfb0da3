// What a sentence-transformers folder adds to a Hugging Face one: its modules, its length limit and its prompts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "families/family.h"

namespace kinglet::convert {

struct SentenceModules {
  std::filesystem::path transformer;  // the folder of config, weights and tokenizer
  Embedding embedding;
  std::vector<std::filesystem::path> dense;  // folders of the Dense modules, which come before the normalisation
  std::optional<uint32_t> width;       // of the embedding, as the pooling module says
  std::optional<uint64_t> max_length;  // tokens
  std::vector<Prompt> prompts;
  int32_t default_prompt = kNone;
};

// Reads modules.json of `folder` and what it names; nothing when there is no modules.json. Modules are known by the
// last part of their type's name. Throws Error for every module and setting that is not implemented.
std::optional<SentenceModules> read_sentence_modules(const std::filesystem::path& folder);

}  // namespace kinglet::convert
