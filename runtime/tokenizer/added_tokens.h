// Tokens that are looked for in the text itself: "[MASK]", and whatever users added to their vocabulary.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/characters.h"
#include "tokenizer/charmap.h"
#include "tokenizer/trie.h"
#include "tokenizer/utf8.h"
#include "tokenizer_generated.h"

namespace kinglet {

// Sorted, disjoint ranges of code points.
class CodePointSet {
 public:
  static kinglet_status open(const flatbuffers::Vector<uint32_t>& bounds, const char* field, CodePointSet* out,
                             Error& error);
  bool contains(uint32_t code_point) const;
  bool contains(const Element& element) const;

 private:
  const uint32_t* bounds_ = nullptr;
  uint32_t count_ = 0;  // ranges
};

// What a token's neighbours are judged by.
struct Neighbours {
  CodePointSet spaces;
  CodePointSet word_chars;
};

// A view of one of the two sets of a tokenizer.
class AddedTokens {
 public:
  enum Flag : uint32_t { kSingleWord = 1, kLstrip = 2, kRstrip = 4 };

  static kinglet_status open(const fmt::AddedTokens& table, uint32_t token_count, const char* field, AddedTokens* out,
                             Error& error);

  bool empty() const { return count_ == 0; }
  bool starts_with(uint8_t byte) const { return first_[byte >> 6] >> (byte & 63) & 1; }
  // Whether a search has to remember what stands before a match.
  bool looks_back() const { return looks_back_; }
  const Trie& trie() const { return trie_; }
  const fmt::AddedToken& token(uint32_t index) const { return *tokens_->Get(index); }

 private:
  Trie trie_;
  const flatbuffers::Vector<const fmt::AddedToken*>* tokens_ = nullptr;
  uint32_t count_ = 0;
  bool looks_back_ = false;
  uint64_t first_[4] = {};  // the bytes that tokens begin with
};

// Iterates over the characters of a piece as they are.
class RawCursor {
 public:
  explicit RawCursor(size_t position) : position_(position) {}

  bool next(const Piece& piece, Element& element) {
    if (position_ >= piece.end) {
      return false;
    }
    element.begin = position_;
    element.length = encode_utf8(decode(piece.source, piece.end, position_), element.bytes);
    element.end = position_;
    return true;
  }
  // Moves on to a place where a token may begin.
  void skip(const Piece& piece, const AddedTokens& tokens);

  uint64_t index() const { return position_; }
  size_t position() const { return position_; }

 private:
  size_t position_;
};

// Finds the tokens of a set in a piece, in order, as the AddedVocabulary of `tokenizers` does: leftmost, longest,
// not overlapping; a match that its neighbours rule out is used up all the same; lstrip takes in the white space
// before a match, back to where the last one ended, and rstrip the white space behind it, which the search for the
// next match may still find something in. `Stream` is RawCursor, Cursor or Characters.
//
// At every character one walk down the trie: linear in the text for a given set, whose longest token bounds the walk.
template <typename Stream>
class AddedTokenSearch {
 public:
  AddedTokenSearch(const AddedTokens& tokens, const Neighbours& neighbours, const Piece& piece, const Stream& begin)
      : tokens_(tokens), neighbours_(neighbours), piece_(piece), here_(begin), text_(begin), space_(begin),
        start_(begin), stop_(begin), spaces_stop_(begin) {}

  // False when there are no more.
  bool next();

  const Stream& text() const { return text_; }    // where the text before the match begins
  const Stream& start() const { return start_; }  // the match, which may begin before text() or be empty
  const Stream& stop() const { return stop_; }
  uint32_t id() const { return id_; }
  // The source range of the match. False when it is empty.
  bool range(size_t& begin, size_t& end) const;
  // Call when the match has been dealt with.
  void consume() { text_ = stop_; }

 private:
  // One copy of a character's composition for all that runs at matches only; next() has its own.
  [[gnu::noinline]] bool step(Stream& stream, Element& element) const { return stream.next(piece_, element); }
  [[gnu::noinline]] bool longest_match(const Stream& from, Stream& end, size_t& source_end, uint32_t& index) const;
  void take_spaces(const Stream& from);
  void pass(const Element& element, const Stream& behind);

  const AddedTokens& tokens_;
  const Neighbours& neighbours_;
  const Piece& piece_;
  Stream here_;              // where the search goes on
  Stream text_;
  Stream space_;             // where the white space before here_ begins
  bool at_begin_ = true;
  bool after_word_ = false;  // a word character stands before here_
  Stream start_, stop_;
  size_t source_end_ = 0;    // where the character before stop_ ends
  uint32_t id_ = 0;
  // White space that was measured last: from where, to where, and where its last character ends in the source.
  uint64_t spaces_from_ = 1, spaces_to_ = 0;
  Stream spaces_stop_;
  size_t spaces_source_end_ = 0;
};

extern template class AddedTokenSearch<RawCursor>;
extern template class AddedTokenSearch<Cursor>;
extern template class AddedTokenSearch<Characters>;

}  // namespace kinglet
