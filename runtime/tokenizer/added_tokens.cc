// The search for added tokens.
#include "tokenizer/added_tokens.h"

#include <string_view>
#include <type_traits>

namespace kinglet {

kinglet_status CodePointSet::open(const flatbuffers::Vector<uint32_t>& bounds, const char* field, CodePointSet* out,
                                  Error& error) {
  const uint32_t* data = bounds.data();
  for (uint32_t i = 0; i < bounds.size(); ++i) {
    // first <= last < next first
    if (i > 0 && (i % 2 == 1 ? data[i] < data[i - 1] : data[i] <= data[i - 1])) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s[%u] = %u is out of order", field, i, data[i]);
    }
  }
  if (bounds.size() % 2 != 0) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s: %u numbers, expected first and last of ranges", field,
                bounds.size());
  }
  out->bounds_ = data;
  out->count_ = bounds.size() / 2;
  return KINGLET_OK;
}

bool CodePointSet::contains(uint32_t code_point) const {
  uint32_t low = 0, high = count_;  // the range, if any, is in [low, high)
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (bounds_[2 * middle + 1] < code_point) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < count_ && bounds_[2 * low] <= code_point;
}

bool CodePointSet::contains(const Element& element) const {
  const Source source({}, std::string_view(reinterpret_cast<const char*>(element.bytes), element.length));
  size_t position = 0;
  return element.length != 0 && contains(decode(source, element.length, position));
}

kinglet_status AddedTokens::open(const fmt::AddedTokens& table, uint32_t token_count, const char* field,
                                 AddedTokens* out, Error& error) {
  const auto& tokens = *table.tokens();
  KINGLET_TRY(Trie::open(*table.trie(), tokens.size(), field, &out->trie_, error));
  out->looks_back_ = false;
  for (uint32_t i = 0; i < tokens.size(); ++i) {
    if (tokens.Get(i)->id() >= token_count) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s.tokens[%u] has the id %u, expected less than %u", field, i,
                  tokens.Get(i)->id(), token_count);
    }
    if (tokens.Get(i)->flags() > (kSingleWord | kLstrip | kRstrip)) {
      return fail(error, KINGLET_UNSUPPORTED, "tokenizer.%s.tokens[%u] has unknown flags %u", field, i,
                  tokens.Get(i)->flags());
    }
    out->looks_back_ = out->looks_back_ || (tokens.Get(i)->flags() & (kSingleWord | kLstrip)) != 0;
  }
  if (Trie::has_value(out->trie_.root())) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s: an added token must not be empty", field);
  }
  out->tokens_ = &tokens;
  out->count_ = tokens.size();
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool first = out->trie_.step(out->trie_.root(), static_cast<uint8_t>(byte)) != Trie::kNone;
    out->first_[byte >> 6] = (out->first_[byte >> 6] & ~(uint64_t{1} << (byte & 63))) | uint64_t{first} << (byte & 63);
  }
  return KINGLET_OK;
}

void RawCursor::skip(const Piece& piece, const AddedTokens& tokens) {
  // Bytes above 127 can be passed one by one when no token begins like U+FFFD, which ill-formed ones turn into:
  // otherwise tokens begin with ASCII or with lead bytes, and those always begin a character.
  const uint8_t limit = tokens.starts_with(0xef) ? 0x80 : 0xff;
  while (position_ < piece.end) {
    size_t end;
    const uint8_t* bytes = piece.source.segment(position_, &end);
    end = end < piece.end ? end : piece.end;
    for (; position_ < end; ++position_, ++bytes) {
      if (tokens.starts_with(*bytes) || *bytes >= limit) {
        return;
      }
    }
  }
}

template <typename Stream>
bool AddedTokenSearch<Stream>::longest_match(const Stream& from, Stream& end, size_t& source_end,
                                             uint32_t& index) const {
  bool found = false;
  uint32_t node = tokens_.trie().root();
  Stream walk = from;
  Element element;
  while (step(walk, element)) {
    node = tokens_.trie().step(node, element.bytes, element.length);
    if (node == Trie::kNone) {
      break;
    }
    if (Trie::has_value(node)) {
      found = true;
      index = tokens_.trie().value(node);
      end = walk;
      source_end = element.end;
    }
  }
  return found;
}

// Moves stop_ from `from` behind the white space there, which is measured only once.
template <typename Stream>
void AddedTokenSearch<Stream>::take_spaces(const Stream& from) {
  if (from.index() < spaces_from_ || from.index() > spaces_to_) {
    spaces_stop_ = from;
    spaces_source_end_ = source_end_;
    Element element;
    for (Stream look = from; step(look, element) && neighbours_.spaces.contains(element);) {
      spaces_stop_ = look;
      spaces_source_end_ = element.end;
    }
    spaces_from_ = from.index();
    spaces_to_ = spaces_stop_.index();
  }
  if (from.index() < spaces_to_) {
    stop_ = spaces_stop_;
    source_end_ = spaces_source_end_;
  }
}

template <typename Stream>
bool AddedTokenSearch<Stream>::range(size_t& begin, size_t& end) const {
  Element element;
  Stream look = start_;
  if (start_.index() >= stop_.index() || !step(look, element)) {
    return false;
  }
  begin = element.begin;
  end = source_end_;
  return true;
}

// Takes note of the character that ends at `behind`.
template <typename Stream>
void AddedTokenSearch<Stream>::pass(const Element& element, const Stream& behind) {
  at_begin_ = false;
  if (tokens_.looks_back()) {
    after_word_ = neighbours_.word_chars.contains(element);
    if (!neighbours_.spaces.contains(element)) {
      space_ = behind;
    }
  }
}

template <typename Stream>
bool AddedTokenSearch<Stream>::next() {
  Element element;
  for (;;) {
    if constexpr (std::is_same_v<Stream, RawCursor>) {
      if (!tokens_.looks_back()) {
        here_.skip(piece_, tokens_);
      }
    }
    Stream behind = here_;
    if (!behind.next(piece_, element)) {
      return false;
    }
    Stream end = behind;
    uint32_t index = 0;
    if (!tokens_.starts_with(element.bytes[0]) || !longest_match(here_, end, source_end_, index)) {
      pass(element, behind);
      here_ = behind;
      continue;
    }
    const fmt::AddedToken& token = tokens_.token(index);
    start_ = here_;
    stop_ = end;
    bool accepted = true;
    if (token.flags() & AddedTokens::kSingleWord) {
      Stream look = end;
      accepted = (at_begin_ || !after_word_) &&
                 !(step(look, element) && neighbours_.word_chars.contains(element));
    }
    if (accepted && (token.flags() & AddedTokens::kLstrip)) {
      start_ = space_.index() > text_.index() ? space_ : text_;
    }
    while (here_.index() < end.index() && step(here_, element)) {
      pass(element, here_);
    }
    here_ = end;
    if (!accepted) {
      continue;
    }
    if (token.flags() & AddedTokens::kRstrip) {
      take_spaces(end);
    }
    id_ = token.id();
    return true;
  }
}

template class AddedTokenSearch<RawCursor>;
template class AddedTokenSearch<Cursor>;
template class AddedTokenSearch<Characters>;

}  // namespace kinglet
