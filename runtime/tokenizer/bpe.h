// Byte pair encoding of one word.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/marking.h"
#include "tokenizer/trie.h"
#include "tokenizer_generated.h"

namespace kinglet {

// Views of a checked Bpe table. Thread-safe.
class Bpe {
 public:
  enum Flag : uint32_t { kSplit = 1, kPrefix = 2, kMarked = 4, kFuse = 8 };
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr uint32_t kMaxTokenBytes = 512;

  static kinglet_status open(const fmt::Bpe& table, uint32_t token_count, Bpe* out, Error& error);

  const Trie& words() const { return words_; }
  uint32_t byte(uint8_t byte) const { return bytes_[byte]; }
  // The token of one space where symbols are bytes, else kNone.
  uint32_t space() const { return space_; }
  // SentencePiece's: symbols are characters; those that are no token are bytes, or where there are none, unknown.
  bool marked() const { return (flags_ & kMarked) != 0; }
  const Marking& marking() const { return marking_; }
  bool has_bytes() const { return bytes_ != nullptr; }
  uint32_t unknown() const { return unknown_; }
  bool fuses() const { return (flags_ & kFuse) != 0; }
  bool splits() const { return (flags_ & kSplit) != 0; }
  bool prefixes() const { return (flags_ & kPrefix) != 0; }

  // The rank of a pair, kNone when it is never merged.
  uint32_t rank(uint32_t left, uint32_t right) const {
    for (uint32_t slot = hash(left, right) & slot_mask_;; slot = (slot + 1) & slot_mask_) {
      const uint32_t entry = slots_[slot];
      if (entry == 0) {
        return kNone;
      }
      const fmt::Merge& merge = merges_[entry - 1];
      if (merge.left() == left && merge.right() == right) {
        return entry - 1;
      }
    }
  }
  uint32_t merged(uint32_t rank) const { return merges_[rank].id(); }

  static uint32_t hash(uint32_t left, uint32_t right) {
    uint32_t h = left * 0x9e3779b1u ^ right * 0x85ebca77u;
    h ^= h >> 15;
    h *= 0xc2b2ae3du;
    return h ^ h >> 13;
  }

 private:
  Trie words_;
  const uint32_t* bytes_ = nullptr;
  const fmt::Merge* merges_ = nullptr;
  const uint32_t* slots_ = nullptr;
  uint32_t slot_mask_ = 0;
  uint32_t flags_ = 0;
  uint32_t unknown_ = 0, space_ = kNone;
  Marking marking_;
};

// The symbols of a word (its bytes, or its characters), or of a part of it, and what they are merged into.
//
// A word longer than the window goes through it in overlapping parts. Tokens t0 t1 … tn are the encoding of their text
// if and only if each is the encoding of its own text and every two neighbours are that of theirs: as long as no merge
// crosses from one into the next, each goes through the same merges as alone, and the first one that crosses would be
// made in the two neighbours alone too. So a cut between two parts is right if the tokens at both sides of it, encoded
// together, stay as they are.
class BpeWindow {
 public:
  static constexpr uint32_t kSize = 2048;

  uint32_t size() const { return size_; }
  bool full() const { return size_ + 4 > kSize; }
  void clear(const Bpe& bpe) {
    size_ = 0;
    node_ = bpe.words().root();
  }
  void add(uint32_t symbol, size_t begin, size_t end) {
    symbol_[size_] = symbol;
    begin_[size_] = static_cast<uint32_t>(begin);
    end_[size_++] = static_cast<uint32_t>(end);
  }
  // Lets the last symbol end at `end`.
  void extend(size_t end) { end_[size_ - 1] = static_cast<uint32_t>(end); }
  // Notes the next bytes of the word, for whole().
  void pass(const Bpe& bpe, const uint8_t* bytes, size_t count) {
    node_ = node_ != Trie::kNone ? bpe.words().step(node_, bytes, count) : Trie::kNone;
  }
  uint32_t symbol(uint32_t at) const { return symbol_[at]; }
  uint32_t begin(uint32_t at) const { return begin_[at]; }
  uint32_t end(uint32_t at) const { return end_[at]; }

  // The one token that all bytes passed since clear() are, kNone when the merges have to say.
  uint32_t whole(const Bpe& bpe) const { return Trie::has_value(node_) ? bpe.words().value(node_) : Bpe::kNone; }
  // Encodes the symbols from `from` to `to`. Their tokens are at `from`, next(from), … until `to`.
  void merge(const Bpe& bpe, uint32_t from, uint32_t to);
  uint32_t id(uint32_t at) const { return id_[at]; }
  uint32_t next(uint32_t at) const { return next_[at]; }

  // Removes the symbols before `from`.
  void shift(uint32_t from);

 private:
  void merge_few(const Bpe& bpe, uint32_t from, uint32_t to);
  void merge_many(const Bpe& bpe, uint32_t from, uint32_t to);
  void join(const Bpe& bpe, uint32_t at, uint32_t from, uint32_t to);
  uint32_t better(uint32_t a, uint32_t b) const;

  uint32_t symbol_[kSize];
  uint32_t begin_[kSize], end_[kSize];
  uint32_t id_[kSize];
  uint32_t rank_[kSize];  // of the pair that a token is the left part of; kNone at the last one and inside tokens
  uint16_t next_[kSize], previous_[kSize];
  uint16_t tree_[kSize];  // winners of pairs, of pairs of pairs, …: tree_[1] is the next merge
  uint32_t size_ = 0;
  uint32_t node_ = Trie::kNone;
};

}  // namespace kinglet
