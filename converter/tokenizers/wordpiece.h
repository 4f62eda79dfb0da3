// A tokenizer as `tokenizers` would have it in memory, before it is compiled into tables.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tokenizers/added_vocabulary.h"
#include "tokenizers/bpe_model.h"
#include "tokenizers/charmap.h"
#include "tokenizers/files.h"
#include "tokenizers/text_rules.h"
#include "tokenizers/unigram_model.h"

namespace kinglet::convert {

struct TemplateEntry {
  int32_t token;  // an id, or one of the texts
  uint32_t type;
  static constexpr int32_t kFirstText = -1, kSecondText = -2;
};

struct SourceTokenizer {
  std::map<std::string, uint32_t> vocabulary;
  std::string unknown_token = "[UNK]";
  std::string continuation = "##";
  uint64_t max_word_chars = 100;
  bool has_normalizer = true;
  NormalizerSettings normalizer;
  std::optional<bool> strip_accents;  // as the file has it: normalizer.strip_accents is what it comes to
  AddedVocabulary added;
  std::vector<TemplateEntry> single, pair;
  // Instead of WordPiece and its normaliser:
  std::optional<BpeModel> bpe;
  std::optional<UnigramModel> unigram;
  TextRules rules;
  bool has_trim = false;  // the post-processor has the field trim_offsets, whatever it says

  bool is_wordpiece() const { return !bpe && !unigram; }
  void set_normalizer(bool clean_text, bool chinese_chars, std::optional<bool> strip, bool lowercase);
  // Adds tokens under the present normaliser.
  void add_tokens(const std::vector<AddedToken>& tokens);
  // The character map of the present normaliser. Not thread-safe.
  const CharMapTables& charmap();

 private:
  std::optional<NormalizerSettings> charmap_settings_;
  CharMapTables charmap_;
};

// tokenizer.json. Its truncation and padding are ignored. Throws Error, by name, for components that are not
// implemented.
SourceTokenizer read_tokenizer_json(const std::string& file, const nlohmann::json& json);

// vocab.txt as Python reads it: universal newlines, later duplicates win.
std::map<std::string, uint32_t> read_vocab_txt(const std::string& file, const std::string& text);

// vocab.json: tokens and their ids.
std::map<std::string, uint32_t> read_vocabulary(const Field& vocabulary);

// An object with the keys of tokenizers.AddedToken; `normalized` may be missing.
AddedToken read_added_token(const Field& field);

}  // namespace kinglet::convert
