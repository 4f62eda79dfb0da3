// The character map of tokenizer.fbs and the iterator that applies it: source text to normalised characters, each with
// the source range that it stands for.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/trie.h"
#include "tokenizer/utf8.h"
#include "tokenizer_generated.h"

namespace kinglet {

enum class CharClass : uint8_t { word = 0, space = 1, punctuation = 2 };

// One normalised character and the bytes [begin, end) of the source that it is aligned with.
struct Element {
  uint8_t bytes[4];
  uint8_t length = 0;  // of `bytes`; 0: dropped, which Cursor never returns
  CharClass kind = CharClass::word;
  uint8_t combining_class = 0;  // 0: stays where it is
  bool continues = false;       // not the first of its code point
  size_t begin = 0;
  size_t end = 0;
};

// A view of the tables. Thread-safe.
class CharMap {
 public:
  enum Entry : uint16_t { kWord = 0, kSpace = 1, kPunctuation = 2, kRemoved = 3, kHangul = 4, kSpaced = 5 };
  static constexpr uint32_t kFirstExpansion = 16;

  static kinglet_status open(const fmt::CharMap& table, CharMap* out, Error& error);

  // Checks that the values of a trie are entries.
  static kinglet_status check_values(const fmt::CharMap& table, const flatbuffers::Vector<uint32_t>& trie,
                                     Error& error);

  uint32_t entry(uint32_t code_point) const {
    const uint32_t block = code_point >> 7;
    return block < block_count_ ? entries_[blocks_[block] * size_t{128} + (code_point & 127)] : rest_;
  }
  const uint8_t* expansion(uint32_t entry) const { return expansions_ + (entry - kFirstExpansion); }

 private:
  const uint16_t* blocks_ = nullptr;
  uint32_t block_count_ = 0;
  const uint16_t* entries_ = nullptr;
  const uint8_t* expansions_ = nullptr;
  uint32_t rest_ = 0;
};

class Rules;

// The part of a source between two added tokens: normalisation never looks beyond it.
struct Piece {
  const Source& source;
  const CharMap& map;
  size_t end;
  const Rules* rules = nullptr;    // of the models that have some
  const Trie* literals = nullptr;  // strings that become something as a whole; their values are entries of the map
};

// Iterates over the elements of a piece in source order, dropped ones included. Copies are independent.
class Elements {
 public:
  explicit Elements(size_t position) : position_(position) {}

  // False at the end.
  bool next(const Piece& piece, Element& element);
  // Whether the next element is the first one of the code point at position().
  bool between_code_points() const { return pending_ == Pending::none; }
  void pass_byte() { ++position_; }
  size_t position() const { return position_; }

 private:
  enum class Pending : uint8_t { none, expansion, hangul, spaced };

  bool literal(const Piece& piece, uint32_t& entry);
  void next_pending(Element& element);

  size_t position_;             // the next code point
  size_t begin_ = 0, end_ = 0;  // the one that is pending
  const uint8_t* rest_ = nullptr;
  uint32_t code_point_ = 0;
  Pending pending_ = Pending::none;
  uint8_t stage_ = 0;
};

// Iterates over the normalised characters of a piece: elements in canonical order, without the dropped ones.
//
// Hugging Face decomposes and orders the whole text at once and then aligns by position: the n-th code point of a run
// of combining marks has the range of the n-th source character of that run, whichever moved there, and later parts of
// a decomposition have the range of what stands before them. A run is sorted here without memory: one pass over it
// for every class that occurs in it (at most 255, in Unicode 55). Runs of which nothing is left are skipped.
class Cursor {
 public:
  explicit Cursor(size_t position) : elements_(position) {}
  Cursor(const Cursor& other) : elements_(other.elements_), index_(other.index_), in_run_(other.in_run_) {
    if (in_run_) {
      run_ = other.run_;
    }
  }
  Cursor& operator=(const Cursor& other) {
    elements_ = other.elements_;
    index_ = other.index_;
    in_run_ = other.in_run_;
    if (in_run_) {
      run_ = other.run_;
    }
    return *this;
  }

  // False at the end of the piece.
  bool next(const Piece& piece, Element& element) {
    if (!in_run_) {
      if (!elements_.next(piece, element)) {
        return false;
      }
      if (element.combining_class == 0 && element.length != 0) {
        ++index_;
        return true;
      }
    }
    return next_slowly(piece, element);
  }

  // Characters returned so far, copies included.
  uint64_t index() const { return index_; }
  // Whether everything before position() has been returned and nothing behind it was looked at.
  bool at_code_point() const { return !in_run_ && elements_.between_code_points(); }
  size_t position() const { return elements_.position(); }
  // At a code point of one byte: moves on as if it had been returned.
  void pass_byte() {
    elements_.pass_byte();
    ++index_;
  }

 private:
  // A run of elements with combining classes, being returned in order.
  struct Run {
    Element first;
    Elements rest{0};           // behind `first`
    Elements scan{0};           // where the current pass stands
    bool scan_first = false;    // the current pass has still to look at `first`
    uint8_t current = 0;        // the class of the current pass
    uint8_t following = 0;      // the least class above it that the pass has seen; 0: none
    Elements source{0};         // the source characters, in order
    bool source_first = false;  // `first` is the next one
    size_t begin = 0, end = 0;  // the last one that was used up
  };

  bool next_slowly(const Piece& piece, Element& element);
  bool enter_run(const Piece& piece, const Element& first);
  bool next_in_run(const Piece& piece, Element& element);

  Elements elements_;
  uint64_t index_ = 0;
  bool in_run_ = false;
  Run run_;
};

}  // namespace kinglet
