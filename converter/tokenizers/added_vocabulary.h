// The AddedVocabulary of `tokenizers` 0.22.2: which added tokens there are, their ids, and what is looked for in texts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace kinglet::convert {

struct AddedToken {
  std::string content;
  bool single_word = false;
  bool lstrip = false;
  bool rstrip = false;
  std::optional<bool> normalized;  // not said: as `!special`
  bool special = false;

  bool is_normalized() const { return normalized.value_or(!special); }
  bool operator==(const AddedToken& other) const {
    return content == other.content && single_word == other.single_word && lstrip == other.lstrip &&
           rstrip == other.rstrip && is_normalized() == other.is_normalized() && special == other.special;
  }
};

class AddedVocabulary {
 public:
  // A string to look for, its id and the options it is matched with.
  struct Pattern {
    std::string text;
    uint32_t id;
    AddedToken token;
  };
  using Vocabulary = std::map<std::string, uint32_t>;
  using Normalizer = std::function<std::string(const std::string&)>;

  // As Tokenizer.add_tokens: known tokens keep their ids, others get the next one. The normaliser is applied to
  // normalised tokens now, not when texts are: that is what `tokenizers` does. Throws Error past 2³¹ ids.
  void add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary, const Normalizer& normalizer);

  // Of an added token, or else of the vocabulary.
  std::optional<uint32_t> id(const std::string& content, const Vocabulary& vocabulary) const;
  const std::map<uint32_t, AddedToken>& by_id() const { return by_id_; }
  const std::map<std::string, uint32_t>& ids() const { return ids_; }

  const std::vector<Pattern>& raw() const { return raw_; }
  const std::vector<Pattern>& normalized() const { return normalized_; }

 private:
  std::map<std::string, uint32_t> ids_;
  std::map<uint32_t, AddedToken> by_id_;
  std::vector<AddedToken> special_, others_;
  std::set<std::string> special_contents_;
  std::vector<Pattern> raw_, normalized_;
};

}  // namespace kinglet::convert
