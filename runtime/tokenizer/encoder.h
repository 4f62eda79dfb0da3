// One text to token ids: added tokens, words, pieces of words.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/added_tokens.h"
#include "tokenizer/bpe.h"
#include "tokenizer/charmap.h"
#include "tokenizer/rules.h"
#include "tokenizer/trie.h"
#include "tokenizer/unigram.h"
#include "tokenizer/utf8.h"

namespace kinglet {

// What a byte below 128 is to the loop over plain words.
struct AsciiTable {
  // Besides the classes: what only the general path can do.
  static constexpr uint8_t kOther = 3;
  uint8_t kind[128];
  uint8_t byte[128];  // what a word character or a punctuation mark becomes
};

// Views of everything that encoding needs, checked by Tokenizer::open.
struct EncoderTables {
  fmt::TokenModel model = fmt::TokenModel::NONE;
  CharMap map;
  AsciiTable ascii;
  AddedTokens raw_tokens;
  AddedTokens normalized_tokens;
  Neighbours neighbours;
  Trie pieces;
  uint32_t continuation = Trie::kNone;  // the node behind the prefix of continuing pieces
  bool has_continuation = false;
  uint32_t unknown = 0;
  uint64_t max_word_chars = 0;
  // Of the other models.
  uint64_t token_begins[2] = {};  // ASCII characters that may become what a token of normalized_tokens begins with
  Rules rules;
  Bpe bpe;
  Unigram unigram;
};

// Where the tokens of one text go: entries `base`, base + 1, … of the arrays of `sink`, as many as `limit`.
struct TextOutput {
  int32_t* ids = nullptr;
  int32_t* type_ids = nullptr;
  kinglet_span* offsets = nullptr;
  uint32_t* words = nullptr;
  size_t capacity = 0;  // entries of the arrays
  size_t base = 0;
  size_t limit = 0;
  int32_t type = 0;
  size_t prefix = 0;    // bytes before the text that offsets do not count
  size_t count = 0;     // tokens so far; those beyond `limit` are counted and not written
  bool failed = false;  // a word cannot be encoded within fixed memory
  uint32_t word = 0;    // the number of the word (or added token) whose tokens are being added

  bool full() const { return count > limit; }
  // Lets the tokens from number `first` on end at `end`.
  void extend(size_t first, size_t end) {
    for (size_t i = first; i < count && i < limit && base + i < capacity && offsets != nullptr; ++i) {
      offsets[base + i].end = static_cast<uint32_t>(end > prefix ? end - prefix : 0);
    }
  }
  void add(uint32_t id, size_t begin, size_t end) {
    const size_t at = base + count;
    if (count < limit && at < capacity) {
      if (ids != nullptr) {
        ids[at] = static_cast<int32_t>(id);
      }
      if (type_ids != nullptr) {
        type_ids[at] = type;
      }
      if (offsets != nullptr) {
        offsets[at] = {static_cast<uint32_t>(begin > prefix ? begin - prefix : 0),
                       static_cast<uint32_t>(end > prefix ? end - prefix : 0)};
      }
      if (words != nullptr) {
        words[at] = word;
      }
    }
    ++count;
  }
};

// Encodes one text. Stops early, with output.full(), at the end of the first word that goes beyond the limit.
void encode_text(const EncoderTables& tables, const Source& source, TextOutput& output);

// The same for the models other than WordPiece, which encode_text calls.
void encode_subwords(const EncoderTables& tables, const Source& source, TextOutput& output);

}  // namespace kinglet
