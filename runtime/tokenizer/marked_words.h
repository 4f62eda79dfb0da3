// Cuts characters into the words of SentencePiece's models: spaces become markers, and a marker begins a word
// (pre-tokenizer Metaspace of `tokenizers`, with WhitespaceSplit before it or not).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/characters.h"
#include "tokenizer/unigram.h"

namespace kinglet {

// Copies are independent.
class MarkedWords {
 public:
  // The characters from `begin` to number `end` of the stream.
  MarkedWords(const Unigram& model, const Piece& piece, const Characters& begin, uint64_t end)
      : model_(&model), piece_(&piece), stream_(begin), end_(end) {}

  // Characters that were looked at.
  uint64_t index() const { return stream_.index(); }

  // Goes to the next word. False when there is none.
  bool begin() {
    const bool at_begin = first_;
    first_ = false;
    while (look() && model_->splits_at_spaces() && is_space()) {
      has_ahead_ = false;
    }
    if (!look()) {
      return false;
    }
    prefix_ = (at_begin || model_->splits_at_spaces()) && !is_marker(ahead_) &&
              (model_->prefixes() || (model_->prefixes_first() && ahead_.begin == 0));
    taken_ = false;
    return true;
  }

  // The next character of the word. False at its end.
  bool next(Element& element) {
    if (!look() || (model_->splits_at_spaces() && is_space())) {
      return false;
    }
    if (prefix_) {
      prefix_ = false;
      taken_ = true;
      element = model_->marker();
      element.begin = ahead_.begin;
      element.end = ahead_.end;
      return true;
    }
    if (taken_ && model_->splits() && is_marker(ahead_)) {
      return false;
    }
    taken_ = true;
    element = ahead_;
    has_ahead_ = false;
    return true;
  }

 private:
  bool look() {
    if (!has_ahead_ && stream_.index() < end_ && stream_.next(*piece_, ahead_)) {
      has_ahead_ = true;
      if (ahead_.length == 1 && ahead_.bytes[0] == ' ' && !model_->splits_at_spaces()) {
        const size_t begin = ahead_.begin, end = ahead_.end;
        ahead_ = model_->marker();
        ahead_.begin = begin;
        ahead_.end = end;
      }
    }
    return has_ahead_;
  }
  bool is_space() const {
    return (piece_->rules->classes().of(code_point(ahead_)) & CharClasses::kStripped) != 0;
  }
  bool is_marker(const Element& element) const {
    const Element& marker = model_->marker();
    bool same = element.length == marker.length;
    for (uint8_t i = 0; i < element.length && same; ++i) {
      same = element.bytes[i] == marker.bytes[i];
    }
    return same;
  }

  const Unigram* model_;
  const Piece* piece_;
  Characters stream_;
  uint64_t end_;
  Element ahead_;
  bool has_ahead_ = false;
  bool first_ = true;    // no word was begun yet
  bool prefix_ = false;  // a marker is to be put before the next character
  bool taken_ = false;
};

}  // namespace kinglet
