// tokenizer_config.json and the files of special and added tokens beside it, as
// PreTrainedTokenizerBase._from_pretrained of transformers 4.57.3 puts them together.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tokenizers/files.h"
#include "tokenizers/wordpiece.h"

namespace kinglet::convert {

// A special token of the configuration: a plain string, or one with options.
struct SpecialToken {
  AddedToken token;
  bool plain = true;  // given as a string
};

// Names of classes are those without "Fast".
bool is_bert_class(const std::string& name);  // its __init__ is that of BertTokenizerFast
bool is_roberta_class(const std::string& name);
bool is_generic_class(const std::string& name);

class TokenizerSettings {
 public:
  // Reads tokenizer.json and tokenizer_config.json as far as they are there. Throws Error for broken files.
  explicit TokenizerSettings(const std::filesystem::path& folder);

  // What follows from the class: refuses settings that are not implemented, and reads the tokens. Throws Error.
  void read_tokens();

  const std::filesystem::path& folder() const { return folder_; }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  // A field of tokenizer_config.json, null where it is missing.
  Field get(const char* key) const { return Field(path("tokenizer_config.json"), "", config_).get(key); }
  bool has(const char* key) const { return config_.contains(key); }
  bool flag(const char* key, bool otherwise) const { return get(key).is_null() ? otherwise : get(key).boolean(); }
  const std::string& class_name() const { return class_name_; }
  const std::optional<nlohmann::json>& tokenizer_json() const { return tokenizer_json_; }

  const std::map<int64_t, AddedToken>& decoder() const { return decoder_; }  // added_tokens_decoder
  const std::vector<std::pair<std::string, SpecialToken>>& specials() const { return specials_; }  // by key, in order
  const std::vector<SpecialToken>& additional() const { return additional_; }
  // The text of a special token. Throws Error where there is none.
  std::string special_token(const std::string& key) const;

  bool clean_up_spaces() const { return flag("clean_up_tokenization_spaces", false); }
  uint64_t model_max_length() const;  // 0: none, or 1e29 and more

 private:
  std::string find_class_name() const;
  void refuse_unknown() const;
  void read_added_tokens_decoder();
  void read_legacy_files();
  SpecialToken read_special(const Field& field, bool from_map) const;
  void read_specials();
  void read_additional();

  std::filesystem::path folder_;
  nlohmann::json config_ = nlohmann::json::object();
  std::optional<nlohmann::json> tokenizer_json_;
  std::string class_name_;
  std::map<int64_t, AddedToken> decoder_;
  std::map<std::string, AddedToken> token_map_;  // added_tokens_map
  std::vector<std::pair<std::string, SpecialToken>> specials_;
  std::vector<SpecialToken> additional_;
};

}  // namespace kinglet::convert
