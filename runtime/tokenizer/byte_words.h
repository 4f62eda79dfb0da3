// Cuts characters into the words of byte-level BPE, without a regular expression engine:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/bpe.h"
#include "tokenizer/characters.h"

namespace kinglet {

// Looks at most three characters ahead.
class ByteWords {
 public:
  // The characters from `begin` to number `end` of the stream.
  ByteWords(const Bpe& bpe, const Piece& piece, const Characters& begin, uint64_t end)
      : bpe_(bpe), classes_(piece.rules->classes()), piece_(piece), stream_(begin), end_(end) {
    if (bpe.prefixes() && look(0) && !is(0, ' ')) {
      ahead_[1] = ahead_[0];
      ahead_[0].bytes[0] = ' ';
      ahead_[0].length = 1;
      letters_[1] = letters_[0];
      letters_[0] = Letter::space;
      count_ = 2;
    }
  }

  // Goes to the next word. False when there is none.
  bool begin() {
    if (!look(0)) {
      return false;
    }
    taken_ = 0;
    fixed_ = 0;
    if (is(0, '\'') && look(1)) {
      if (is(1, 's') || is(1, 't') || is(1, 'm') || is(1, 'd')) {
        fixed_ = 2;
      } else if (look(2) && ((is(1, 'r') && is(2, 'e')) || (is(1, 'v') && is(2, 'e')) || (is(1, 'l') && is(2, 'l')))) {
        fixed_ = 3;
      }
    }
    letter_ = is(0, ' ') && look(1) && letters_[1] != Letter::space ? letters_[1] : letters_[0];
    return true;
  }

  // Adds bytes of the word to the window. True when the word is complete, false when the window is full.
  bool fill(BpeWindow& window) {
    while (!ended()) {
      if (window.full()) {
        return false;
      }
      const Element& element = ahead_[0];
      window.pass(bpe_, element.bytes, element.length);
      for (uint8_t i = 0; i < element.length; ++i) {
        window.add(bpe_.byte(element.bytes[i]), element.begin, element.end);
      }
      ++taken_;
      --count_;
      for (uint8_t i = 0; i < count_; ++i) {
        ahead_[i] = ahead_[i + 1];
        letters_[i] = letters_[i + 1];
      }
    }
    return true;
  }

 private:
  static constexpr uint8_t kAhead = 4;

  bool look(uint8_t index) {
    while (count_ <= index) {
      if (stream_.index() >= end_ || !stream_.next(piece_, ahead_[count_])) {
        return false;
      }
      letters_[count_] = CharClasses::letter(classes_.of(code_point(ahead_[count_])));
      ++count_;
    }
    return true;
  }
  bool is(uint8_t index, char c) const {
    return ahead_[index].length == 1 && ahead_[index].bytes[0] == static_cast<uint8_t>(c);
  }
  bool ended() {
    if (!look(0)) {
      return true;
    }
    if (!bpe_.splits()) {
      return false;
    }
    if (fixed_ != 0) {
      return taken_ == fixed_;
    }
    if (taken_ == 0) {
      return false;
    }
    if (letter_ != Letter::space) {
      return letters_[0] != letter_;
    }
    // White space leaves its last character to the word behind it.
    return letters_[0] != Letter::space || (look(1) && letters_[1] != Letter::space);
  }

  const Bpe& bpe_;
  const CharClasses& classes_;
  const Piece& piece_;
  Characters stream_;
  uint64_t end_;
  Element ahead_[kAhead];
  Letter letters_[kAhead];
  uint8_t count_ = 0;
  uint64_t taken_ = 0;
  uint8_t fixed_ = 0;
  Letter letter_ = Letter::other;  // what the word is made of
};

}  // namespace kinglet
