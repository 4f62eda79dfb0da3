// Builds the character map of runtime/format/tokenizer.fbs from the settings of a BertNormalizer and others.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "tokenizer/charmap.h"
#include "tokenizer_generated.h"

namespace kinglet::convert {

struct NormalizerSettings {
  bool clean_text = true;
  bool chinese_chars = true;
  bool strip_accents = true;  // null in the file: as lowercase
  bool lowercase = true;
  // Of other normalisers than BertNormalizer.
  bool decompose = false;        // NFD
  bool compatibility = false;    // NFKD instead
  bool strip_combining = false;  // StripAccents
  bool classes = true;           // white space and punctuation count
  bool operator==(const NormalizerSettings&) const = default;
};

struct CharMapTables {
  std::vector<uint16_t> blocks;
  std::vector<uint16_t> entries;
  std::vector<uint8_t> expansions;
  uint16_t rest = 0;

  // The entry for what a character becomes, for strings that are replaced by it.
  uint32_t add_expansion(uint32_t code_point, const NormalizerSettings& settings);
  flatbuffers::Offset<fmt::CharMap> write(flatbuffers::FlatBufferBuilder& builder) const;
};

// Composes the steps of the normaliser, in its order, and the classes of BertPreTokenizer for every code point.
CharMapTables build_charmap(const NormalizerSettings& settings);

// Applies a map as the runtime does.
class TextNormalizer {
 public:
  explicit TextNormalizer(const CharMapTables& tables);
  std::string operator()(std::string_view text) const;

 private:
  flatbuffers::FlatBufferBuilder builder_;
  CharMap map_;
};

}  // namespace kinglet::convert
