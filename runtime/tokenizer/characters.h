// Source text to the characters that BPE and Unigram see, as the normalisers of `tokenizers` make them one after the
// other: Cursor (maps of single code points, decomposition) → Composer (NFC) → Mapper (charsmap of SentencePiece) →
// Characters (white space). Each is a small value that can be copied to look ahead; none stores text. Every character
// has the source range that `tokenizers` aligns it with, oddities included: the comments say where they come from.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/charmap.h"
#include "tokenizer/rules.h"

namespace kinglet {

// Canonical composition. Characters that can neither change nor join pass through; a stretch of others is decomposed,
// ordered and composed: to know what a character becomes, one walk ahead over the marks behind it, and a second one
// to return the marks that did not join it. The n-th character that is not new has the range of the n-th source
// character, less those that composed ones use up.
class Composer {
 public:
  explicit Composer(size_t position) : walk_(position), position_(position), slots_(position) {}

  // False at the end of the piece.
  bool next(const Piece& piece, Element& element) {
    return piece.rules->composes() ? compose(piece, element) : walk_.next(piece, element);
  }
  // Whether the next character is surely one of ASCII that joins nothing.
  bool before_ascii(const Piece& piece) const {
    const bool composes = piece.rules->composes();
    const size_t at = composes ? position_ : walk_.position();
    if ((composes ? stretch_end_ != 0 : !walk_.at_code_point()) || at >= piece.end) {
      return false;
    }
    const uint8_t byte = piece.source[at];
    return byte == ' ' || (byte < 0x80 && piece.rules->ascii(byte) != 0);
  }
  // Returns the next character if it is one of ASCII that Rules::ascii tells all about.
  bool plain(const Piece& piece, Element& element) {
    const bool composes = piece.rules->composes();
    const size_t at = composes ? position_ : walk_.position();
    if ((composes ? stretch_end_ != 0 : !walk_.at_code_point()) || at >= piece.end) {
      return false;
    }
    const uint8_t byte = piece.source[at];
    const uint8_t becomes = byte < 0x80 ? piece.rules->ascii(byte) : uint8_t{0};
    if (becomes == 0 || (at + 1 < piece.end && piece.source[at + 1] >= 0x80)) {
      return false;
    }
    element.bytes[0] = becomes;
    element.length = 1;
    element.begin = at;
    element.end = at + 1;
    if (composes) {
      ++position_;
    } else {
      walk_.pass_byte();
    }
    return true;
  }

 private:
  // A character and the changes that `tokenizers` counts: 1 it is new, 0 it replaces one, -n and n more behind it.
  struct Changed {
    uint32_t code_point;
    int64_t change;
  };
  // What the next character does to the one that is being composed.
  enum class Meeting : uint8_t { joins, follows, begins };

  bool compose(const Piece& piece, Element& element);
  bool enter(const Piece& piece, Element& element);
  Meeting meet(const Piece& piece, const Element& element, Changed& base, int& last_class) const;
  void take(const Piece& piece, const Changed& what, Element& element);

  Cursor walk_;             // within a stretch: what has not been returned or joined
  size_t position_;         // outside: the next code point
  size_t stretch_end_ = 0;  // not 0 within a stretch
  Elements slots_;          // source characters of the stretch whose ranges are not used up
  size_t begin_ = 0, end_ = 0;  // the range that was used last
  uint64_t behind_ = 0;     // characters to pass to reach the next base
  Changed base_{0, 0};      // as composed so far on the second walk
  int last_class_ = -1;
};

// The normaliser Precompiled: a grapheme cluster of less than 6 bytes becomes what its shortest prefix in the charsmap
// becomes; the characters of other clusters are looked up one by one.
class Mapper {
 public:
  explicit Mapper(size_t position) : up_(position), begin_(position), end_(position), start_(position) {}
  Mapper(const Mapper& other) : up_(other.up_) { copy(other); }
  Mapper& operator=(const Mapper& other) {
    up_ = other.up_;
    copy(other);
    return *this;
  }

  bool next(const Piece& piece, Element& element) {
    return piece.rules->has_charsmap() ? map(piece, element) : up_.next(piece, element);
  }
  // As Composer::plain.
  bool plain(const Piece& piece, Element& element) {
    if (has_part_ || ahead_count_ != 0 || lags_ || !up_.plain(piece, element)) {
      return false;
    }
    in_cluster_ = false;
    any_ = true;
    return true;
  }

 private:
  static constexpr uint8_t kAhead = 8;     // more than the characters of 6 bytes
  static constexpr size_t kClusterBytes = 6;

  // The state of the rules for cluster boundaries (Unicode Standard Annex 29) behind a character.
  struct Boundary {
    Part part = Part::control;
    bool carriage_return = false;
    uint8_t picture = 0;   // 1 a pictograph and what extends it, 2 and a ZWJ
    uint8_t conjunct = 0;  // 1 a consonant and what extends it, 2 and a linker
    void pass(uint32_t code_point, Part part);
    bool joins(uint32_t code_point, Part part) const;
  };

  void copy(const Mapper& other);
  bool map(const Piece& piece, Element& element);
  bool look(const Piece& piece, uint8_t index);
  bool load(const Piece& piece);
  void drop(uint8_t count);
  void use(const Piece& piece, const Element& source);
  void finish(const Piece& piece);

  Composer up_;
  Element ahead_[kAhead];
  uint8_t ahead_count_ = 0;
  bool up_ended_ = false;
  bool in_cluster_ = false;  // one of 6 bytes and more, whose characters count singly
  Boundary boundary_;        // behind what was loaded last
  // The part that is being returned: source characters, and what they become.
  Element part_[kAhead];
  uint8_t part_count_ = 0, part_used_ = 0;
  bool has_part_ = false;
  bool mapped_ = false;
  const uint8_t* text_ = nullptr;
  uint32_t text_left_ = 0;
  size_t begin_, end_;       // the range that was used last
  bool any_ = false;         // something has been returned
  // What is removed before anything else is left is never subtracted: ranges lag behind from then on.
  bool lags_ = false;
  size_t start_;
  Composer slots_{0};
};

// All of it, with white space stripped and collapsed.
class Characters {
 public:
  explicit Characters(size_t position) : up_(position), position_(position) {}

  Characters(const Characters& other);
  Characters& operator=(const Characters& other);

  // False at the end of the piece.
  bool next(const Piece& piece, Element& element);
  // Characters returned so far, copies included.
  uint64_t index() const { return index_; }

 private:
  bool next_slowly(const Piece& piece, Element& element);
  bool pull(const Piece& piece, Element& element);
  bool stripped(const Piece& piece, const Element& element) const;

  Mapper up_;
  size_t position_;        // the next code point where nothing is done to them
  Element ahead_;
  bool has_ahead_ = false, ended_ = false;
  uint64_t index_ = 0;
  uint64_t pulled_ = 0;    // characters taken from up_
  uint64_t kept_ = 0;      // white space among the first so many is not at the end
  bool at_begin_ = true;
};

// `begin` and `end` without the white space that is stripped from a piece before everything else.
void strip_piece(const Source& source, const Rules& rules, size_t& begin, size_t& end);

}  // namespace kinglet
