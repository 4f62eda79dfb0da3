// The normalisers of `tokenizers` for models other than WordPiece, and the Rules of tokenizer.fbs that they become.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "tokenizer/characters.h"
#include "tokenizers/charmap.h"
#include "tokenizers/files.h"
#include "tokenizer_generated.h"

namespace kinglet::convert {

// Applied in the order of the members, whatever the file's order: read_text_rules accepts what comes to the same.
struct TextRules {
  uint8_t strip = 0, collapse = 0, trim = 0;                   // as in tokenizer.fbs
  uint32_t space = ' ';
  std::vector<std::pair<std::string, uint32_t>> literals;     // strings and the character that each becomes
  bool decompose = false, compatibility = false, strip_accents = false, lowercase = false, compose = false;
  std::string charsmap;                                        // of SentencePiece, as it stands in its files
  bool operator==(const TextRules&) const = default;
};

// The `normalizer` of a tokenizer.json, which may be null. Throws Error, by name, for what is not implemented.
TextRules read_text_rules(const Field& normalizer);

// The tables of some rules. `what` stands in errors about the charsmap.
class CompiledRules {
 public:
  CompiledRules(const TextRules& rules, const std::string& what);

  const CharMapTables& map() const { return map_; }
  flatbuffers::Offset<fmt::Rules> write(flatbuffers::FlatBufferBuilder& builder) const;

 private:
  void compile_charsmap(const std::string& what);

  TextRules rules_;
  CharMapTables map_;
  std::vector<uint32_t> literals_, charsmap_;
  std::vector<uint8_t> charsmap_text_;
};

// Applies rules as the runtime does.
class RulesNormalizer {
 public:
  explicit RulesNormalizer(const CompiledRules& rules);
  std::string operator()(std::string_view text) const;

 private:
  flatbuffers::FlatBufferBuilder builder_, map_builder_;
  Rules rules_;
  CharMap map_;
};

}  // namespace kinglet::convert
