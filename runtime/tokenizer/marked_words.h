// Cuts characters into the words of SentencePiece's models: spaces become markers, and a marker begins a word
// (pre-tokenizer Metaspace of `tokenizers`, with WhitespaceSplit before it or not).
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/characters.h"
#include "tokenizer/marking.h"

namespace kinglet {

// Copies are independent.
class MarkedWords {
 public:
  // The characters from `begin` to number `end` of the stream.
  MarkedWords(const Marking& marking, const Piece& piece, const Characters& begin, uint64_t end)
      : marking_(&marking), piece_(&piece), stream_(begin), end_(end) {}

  // Characters that were looked at.
  uint64_t index() const { return stream_.index(); }

  // Goes to the next word, or with Marking::cuts() to its next part. False when there is none.
  bool begin() {
    const bool at_begin = first_;
    first_ = false;
    while (look() && marking_->splits_at_spaces() && is_space()) {
      has_ahead_ = false;
    }
    if (!look()) {
      return false;
    }
    fresh_ = at_begin || !marking_->cuts();
    prefix_ = (at_begin || marking_->splits_at_spaces()) && !is_marker(ahead_) &&
              (marking_->prefixes() || (marking_->prefixes_first() && ahead_.begin == 0));
    taken_ = false;
    return true;
  }
  // Whether what begin() went to is a word and no later part of one.
  bool fresh() const { return fresh_; }

  // The next character of the word. False at its end.
  bool next(Element& element) {
    if (!look() || (marking_->splits_at_spaces() && is_space())) {
      return false;
    }
    if (prefix_) {
      prefix_ = false;
      taken_ = behind_marker_ = true;
      element = marking_->marker();
      element.begin = ahead_.begin;
      element.end = ahead_.end;
      return true;
    }
    const bool marker = (marking_->splits() || marking_->cuts()) && is_marker(ahead_);
    if (taken_ && marker && (marking_->splits() || !behind_marker_)) {
      return false;
    }
    taken_ = true;
    behind_marker_ = marker;
    element = ahead_;
    has_ahead_ = false;
    return true;
  }

 private:
  bool look() {
    if (!has_ahead_ && stream_.index() < end_ && stream_.next(*piece_, ahead_)) {
      has_ahead_ = true;
      if (ahead_.length == 1 && ahead_.bytes[0] == ' ' && !marking_->splits_at_spaces()) {
        const size_t begin = ahead_.begin, end = ahead_.end;
        ahead_ = marking_->marker();
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
    const Element& marker = marking_->marker();
    bool same = element.length == marker.length;
    for (uint8_t i = 0; i < element.length && same; ++i) {
      same = element.bytes[i] == marker.bytes[i];
    }
    return same;
  }

  const Marking* marking_;
  const Piece* piece_;
  Characters stream_;
  uint64_t end_;
  Element ahead_;
  bool has_ahead_ = false;
  bool first_ = true;    // no word was begun yet
  bool prefix_ = false;  // a marker is to be put before the next character
  bool taken_ = false;
  bool behind_marker_ = false;
  bool fresh_ = false;
};

}  // namespace kinglet
