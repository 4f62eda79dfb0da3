// What AutoTokenizer of transformers 4.57.3 makes of a folder with a WordPiece tokenizer.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "tokenizers/compile.h"
#include "tokenizers/wordpiece.h"

namespace kinglet::convert {

struct LoadedTokenizer {
  SourceTokenizer tokenizer;
  uint64_t model_max_length = 0;  // 0: none, or 1e29 and more
  std::map<std::string, std::string> specials;  // by attribute ("mask_token"): the token's text
  bool clean_up_spaces = false;                 // clean_up_tokenization_spaces
};

// Nothing when the folder has no tokenizer files. Throws Error for broken files and, by name, for what is not
// implemented.
std::optional<LoadedTokenizer> load_tokenizer(const std::filesystem::path& folder);

// The tables of a loaded tokenizer. Throws Error when it contradicts itself.
std::unique_ptr<CompiledTokenizer> compile_tokenizer(LoadedTokenizer loaded);

}  // namespace kinglet::convert
