// The Unigram model: the best path through the tokens that a word can be cut into.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/charmap.h"
#include "tokenizer/marking.h"
#include "tokenizer/trie.h"
#include "tokenizer_generated.h"

namespace kinglet {

// Views of a checked Unigram table. Thread-safe.
class Unigram {
 public:
  static constexpr uint32_t kMaxTokenChars = 200;

  static kinglet_status open(const fmt::Unigram& table, uint32_t token_count, Unigram* out, Error& error);

  const Trie& trie() const { return trie_; }
  double score(uint32_t id) const {
    return scores_ != nullptr ? static_cast<double>(scores_[id]) : precise_scores_[id];
  }
  uint32_t unknown() const { return unknown_; }
  double unknown_score() const { return unknown_score_; }
  const uint32_t* bytes() const { return bytes_; }  // null without byte fallback
  uint32_t max_token_chars() const { return max_token_chars_; }
  const Marking& marking() const { return marking_; }

 private:
  Trie trie_;
  const float* scores_ = nullptr;
  const double* precise_scores_ = nullptr;
  const uint32_t* bytes_ = nullptr;
  uint32_t unknown_ = 0, max_token_chars_ = 0;
  double unknown_score_ = 0;
  Marking marking_;
};

// A stretch of a word, and the best path through it.
//
// A word longer than the window is cut where its best path passes: one walk over the whole of it, which keeps the
// scores of the last max_token_chars positions only and with each the last place not behind the middle where its path
// passes, finds a cut; both halves are cut further until they fit. From a cut on only paths through it count, and the
// scores of those are what they were, so nothing changes: n characters take n·log(n / kSize) steps.
class UnigramWindow {
 public:
  static constexpr uint32_t kSize = 512;

  struct Symbol {
    uint8_t bytes[4];
    uint8_t length;
    size_t begin, end;
  };

  uint32_t size() const { return size_; }
  bool full() const { return size_ == kSize; }
  void clear() { size_ = 0; }
  void add(const Element& element) { set(size_++, element); }
  const Symbol& at(uint32_t index) const { return chars_[index]; }

  // Finds the best path from the beginning, which has `score`, to the end, and returns the end's score. The tokens are
  // id(0) up to next(0), and so on until size().
  double solve(const Unigram& model, double score);
  uint32_t id(uint32_t begin) const { return id_[next_[begin]]; }
  uint32_t next(uint32_t begin) const { return next_[begin]; }

  // Where the best path through the next `length` characters of `words`, which is a copy, passes last before the
  // middle. Uses the window for other things.
  template <typename Words>
  uint64_t cut(const Unigram& model, Words words, uint64_t length, double score);

 private:
  static constexpr uint32_t kRing = 256;  // more than kMaxTokenChars
  static constexpr uint16_t kUnset = UINT16_MAX;

  void set(uint32_t index, const Element& element) {
    Symbol& symbol = chars_[index];
    for (uint8_t i = 0; i < element.length && i < 4; ++i) {
      symbol.bytes[i] = element.bytes[i];
    }
    symbol.length = element.length;
    symbol.begin = element.begin;
    symbol.end = element.end;
  }

  Symbol chars_[kSize];
  double score_[kSize + 1];
  uint32_t id_[kSize + 1];    // of the best token that ends there
  uint16_t from_[kSize + 1];  // where it begins
  uint16_t next_[kSize + 1];
  uint64_t cut_[kRing];
  uint32_t size_ = 0;
};

template <typename Words>
uint64_t UnigramWindow::cut(const Unigram& model, Words words, uint64_t length, double score) {
  const uint64_t middle = length / 2;
  for (uint32_t i = 0; i < kRing; ++i) {
    from_[i] = kUnset;
  }
  score_[0] = score;
  cut_[0] = 0;
  uint64_t read = 0;
  for (uint64_t begin = 0; begin < length; ++begin) {
    const uint32_t here = begin % kRing;
    const double before = score_[here];
    const auto reach = [&](uint64_t end, double gain) {
      const uint32_t there = end % kRing;
      const double sum = gain + before;
      if (from_[there] == kUnset || sum > score_[there]) {
        from_[there] = 0;
        score_[there] = sum;
        cut_[there] = end <= middle ? end : cut_[here];
      }
    };
    bool single = false;
    uint32_t node = model.trie().root();
    for (uint64_t at = begin; at < length && at - begin < model.max_token_chars(); ++at) {
      const uint32_t slot = at % kRing;
      if (at == read) {
        Element element;
        words.next(element);
        set(slot, element);
        ++read;
      }
      node = model.trie().step(node, chars_[slot].bytes, chars_[slot].length);
      if (node == Trie::kNone) {
        break;
      }
      if (Trie::has_value(node)) {
        reach(at + 1, model.score(model.trie().value(node)));
        single = single || at == begin;
      }
    }
    if (!single) {
      reach(begin + 1, model.unknown_score());
    }
    from_[here] = kUnset;
  }
  return cut_[length % kRing];
}

}  // namespace kinglet
