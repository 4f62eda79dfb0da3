// The closure of a set of tokens, one rule per model.
#include "prune/kept_tokens.h"

#include <cstddef>
#include <map>
#include <string_view>
#include <unordered_map>

#include "base/text.h"
#include "tokenizer/utf8.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {

namespace {

std::vector<uint32_t> characters(std::string_view text) {
  const Source source({}, text);
  std::vector<uint32_t> result;
  for (size_t at = 0; at < text.size();) {
    result.push_back(decode(source, text.size(), at));
  }
  return result;
}

class Closure {
 public:
  Closure(const SourceTokenizer& tokenizer, const std::string& source, std::vector<bool>* keep)
      : tokenizer_(tokenizer), source_(source), keep_(*keep) {}

  void named_tokens(const std::map<std::string, std::string>& specials) {
    for (const auto& [id, token] : tokenizer_.added.by_id()) {
      keep_[id] = true;
    }
    for (const auto& [attribute, content] : specials) {
      text(content);
    }
    for (const auto* entries : {&tokenizer_.single, &tokenizer_.pair}) {
      for (const TemplateEntry& entry : *entries) {
        if (entry.token >= 0) {
          keep_[static_cast<size_t>(entry.token)] = true;
        }
      }
    }
  }

  void wordpiece() {
    const std::string& mark = tokenizer_.continuation;
    text(tokenizer_.unknown_token);
    for (const auto& [piece, id] : tokenizer_.vocabulary) {
      const bool inside = !mark.empty() && piece.size() > mark.size() && piece.starts_with(mark);
      const std::vector<uint32_t> body = characters(std::string_view(piece).substr(inside ? mark.size() : 0));
      if (body.size() == 1) {
        keep_[id] = true;
        continue;
      }
      if (is_added(piece) || is_split(body)) {
        continue;
      }
      for (size_t i = 0; i < body.size(); ++i) {
        std::string single = inside || i > 0 ? mark : "";
        unicode::append_utf8(single, body[i]);
        require(piece, single);
      }
    }
  }

  void bpe() {
    for (const auto& [token, id] : tokenizer_.vocabulary) {
      keep_[id] = keep_[id] || characters(token).size() == 1 || is_byte(token);
    }
    const auto id = [&](const std::string& token) { return tokenizer_.vocabulary.at(token); };
    uint32_t rank = 0;
    for (const auto& [left, right] : tokenizer_.bpe->merges) {
      merges_[uint64_t{id(left)} << 32 | id(right)] = {rank++, id(left + right)};  // of equal ones the last counts
      parts_[id(left + right)].emplace_back(id(left), id(right));
    }
    std::vector<std::pair<const std::string*, uint32_t>> kept;
    for (const auto& [token, number] : tokenizer_.vocabulary) {
      if (keep_[number]) {
        kept.emplace_back(&token, number);
      }
    }
    for (const auto& [token, number] : kept) {
      if (!keep_path(*token, number)) {
        keep_all_parts(number);
      }
    }
  }

  void unigram() {
    const UnigramModel& model = *tokenizer_.unigram;
    const std::pair<std::string, double>* least = nullptr;
    for (const auto& piece : model.pieces) {
      least = least == nullptr || piece.second < least->second ? &piece : least;
    }
    text(least->first);
    text(model.pieces[*model.unknown].first);
    for (const auto& [piece, id] : tokenizer_.vocabulary) {
      const std::vector<uint32_t> body = characters(piece);
      if (body.size() == 1 || is_byte(piece)) {
        keep_[id] = true;
      } else if (!is_added(piece) && !model.byte_fallback && id != *model.unknown) {
        for (const uint32_t character : body) {
          std::string single;
          unicode::append_utf8(single, character);
          require(piece, single);
        }
      }
    }
  }

 private:
  struct Merge {
    uint32_t rank, id;
  };

  // Merges a token's characters as a text would be, and keeps what comes in between. False when this does not end in
  // the token, or it is so long that this would take its time.
  bool keep_path(const std::string& token, uint32_t id) {
    constexpr size_t kLongest = 48;
    const std::vector<uint32_t> body = characters(token);
    std::vector<uint32_t> ids, between;
    for (const uint32_t character : body) {
      std::string single;
      unicode::append_utf8(single, character);
      const auto found = tokenizer_.vocabulary.find(single);
      if (found == tokenizer_.vocabulary.end() || body.size() > kLongest) {
        return false;
      }
      ids.push_back(found->second);
    }
    while (ids.size() > 1) {
      const Merge* best = nullptr;
      size_t at = 0;
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto found = merges_.find(uint64_t{ids[i]} << 32 | ids[i + 1]);
        if (found != merges_.end() && (best == nullptr || found->second.rank < best->rank)) {
          best = &found->second;
          at = i;
        }
      }
      if (best == nullptr) {
        return false;
      }
      ids[at] = best->id;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(at) + 1);
      between.push_back(best->id);
    }
    for (const uint32_t part : between) {
      keep_[part] = true;
    }
    return ids[0] == id;
  }

  // What any merge makes the token of, and so on.
  void keep_all_parts(uint32_t id) {
    std::vector<uint32_t> open = {id};
    while (!open.empty()) {
      const auto found = parts_.find(open.back());
      open.pop_back();
      if (found == parts_.end()) {
        continue;
      }
      for (const auto& [left, right] : found->second) {
        for (const uint32_t part : {left, right}) {
          if (!keep_[part]) {
            keep_[part] = true;
            open.push_back(part);
          }
        }
      }
    }
  }

  void text(const std::string& content) {
    if (const auto id = tokenizer_.added.id(content, tokenizer_.vocabulary)) {
      keep_[*id] = true;
    }
    if (const auto found = tokenizer_.vocabulary.find(content); found != tokenizer_.vocabulary.end()) {
      keep_[found->second] = true;
    }
  }
  bool is_added(const std::string& content) const { return tokenizer_.added.ids().count(content) != 0; }
  static bool is_byte(const std::string& piece) {
    return piece.size() == 6 && piece.starts_with("<0x") && piece.back() == '>';
  }
  // Whether BertPreTokenizer parts its characters, so that no text becomes this piece.
  bool is_split(const std::vector<uint32_t>& body) const {
    for (const uint32_t character : body) {
      if (unicode::punctuation(character) || unicode::space(character) ||
          (tokenizer_.normalizer.chinese_chars && unicode::chinese(character))) {
        return true;
      }
    }
    return false;
  }
  void require(const std::string& piece, const std::string& single) const {
    if (tokenizer_.vocabulary.count(single) == 0) {
      refuse(source_, ": its vocabulary has the piece ", quote(piece), " without the piece ", quote(single),
             ", expected one for every single character: without them texts could become unknown tokens that were not "
             "before");
    }
  }

  const SourceTokenizer& tokenizer_;
  const std::string& source_;
  std::vector<bool>& keep_;
  std::unordered_map<uint64_t, Merge> merges_;                                      // by both parts
  std::unordered_map<uint32_t, std::vector<std::pair<uint32_t, uint32_t>>> parts_;  // of a token, by every merge to it
};

}  // namespace

void keep_needed(const LoadedTokenizer& loaded, const std::string& source, std::vector<bool>* keep) {
  const SourceTokenizer& tokenizer = loaded.tokenizer;
  Closure closure(tokenizer, source, keep);
  closure.named_tokens(loaded.specials);
  if (tokenizer.bpe) {
    closure.bpe();
  } else if (tokenizer.unigram) {
    closure.unigram();
  } else {
    closure.wordpiece();
  }
}

}  // namespace kinglet::convert
