// What SentencePiece's models do with spaces (the pre-tokenizer Metaspace of `tokenizers`).
#pragma once

#include <cstdint>

#include "base/error.h"
#include "tokenizer/charmap.h"

namespace kinglet {

// Checked settings of a Unigram or Bpe table. Thread-safe.
class Marking {
 public:
  enum Flag : uint32_t { kPrefix = 1, kPrefixFirst = 2, kSplit = 4, kSplitSpaces = 8, kCut = 16 };

  // `known`: the flags that the model may have.
  static kinglet_status open(uint32_t marker, uint32_t flags, uint32_t known, Marking* out, Error& error);

  const Element& marker() const { return marker_; }
  bool prefixes() const { return (flags_ & kPrefix) != 0; }
  bool prefixes_first() const { return (flags_ & kPrefixFirst) != 0; }
  bool splits() const { return (flags_ & kSplit) != 0; }
  bool splits_at_spaces() const { return (flags_ & kSplitSpaces) != 0; }
  bool cuts() const { return (flags_ & kCut) != 0; }

 private:
  Element marker_;
  uint32_t flags_ = 0;
};

}  // namespace kinglet
