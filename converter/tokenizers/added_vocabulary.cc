// Follows added_vocabulary.rs of `tokenizers` step by step: what happens to tokens that are added twice with different
// options is part of the behaviour.
#include "tokenizers/added_vocabulary.h"

#include <algorithm>

#include "error.h"

namespace kinglet::convert {

std::optional<uint32_t> AddedVocabulary::id(const std::string& content, const Vocabulary& vocabulary) const {
  if (const auto found = ids_.find(content); found != ids_.end()) {
    return found->second;
  }
  if (const auto found = vocabulary.find(content); found != vocabulary.end()) {
    return found->second;
  }
  return std::nullopt;
}

void AddedVocabulary::add(const std::vector<AddedToken>& tokens, const Vocabulary& vocabulary,
                          const Normalizer& normalizer) {
  for (const AddedToken& token : tokens) {
    if (token.special && !token.content.empty() && special_contents_.insert(token.content).second) {
      special_.push_back(token);
    }
  }
  std::map<std::string, std::vector<AddedToken>> existing;
  for (const auto& [id, token] : by_id_) {
    existing[token.content].push_back(token);
  }
  uint64_t next_id = vocabulary.size();
  if (!by_id_.empty() && by_id_.rbegin()->first >= next_id) {
    next_id = uint64_t{by_id_.rbegin()->first} + 1;
  }
  for (const AddedToken& token : tokens) {
    std::vector<AddedToken>& same = existing[token.content];
    if (token.content.empty() || std::find(same.begin(), same.end(), token) != same.end()) {
      continue;
    }
    std::optional<uint32_t> new_id = id(token.content, vocabulary);
    if (!new_id) {
      if (next_id >= (uint64_t{1} << 31)) {
        throw Error("added token \"" + token.content + "\": there is no id left for it");
      }
      new_id = static_cast<uint32_t>(next_id++);
    }
    ids_[token.content] = *new_id;
    by_id_[*new_id] = token;
    if (special_contents_.count(token.content) == 0) {
      others_.push_back(token);
    }
    same.push_back(token);
  }

  raw_.clear();
  normalized_.clear();
  for (const auto* list : {&special_, &others_}) {
    for (const AddedToken& token : *list) {
      const uint32_t token_id = id(token.content, vocabulary).value();
      // The options are those of the id, which a later token may have taken over.
      const auto owner = by_id_.find(token_id);
      const AddedToken& options = owner == by_id_.end() ? token : owner->second;
      if (!token.is_normalized()) {
        raw_.push_back({token.content, token_id, options});
        continue;
      }
      const std::string text = normalizer(token.content);
      if (text.empty()) {
        throw Error("added token \"" + token.content + "\": nothing is left of it after normalisation; a token that "
                    "matches everywhere is not supported");
      }
      normalized_.push_back({text, token_id, options});
    }
  }
}

}  // namespace kinglet::convert
