// Text to token ids with byte offsets, from the tables that a .kgl file carries. Equal to Hugging Face `tokenizers`
// 0.22.2 on any input. Nothing here allocates after `open`, and the time is linear in the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "tokenizer/encoder.h"
#include "tokenizer_generated.h"

namespace kinglet {

inline constexpr uint32_t kNoWord = UINT32_MAX;

// Removes spaces as clean_up_tokenization of transformers does; returns the new size.
size_t clean_up_spaces(char* text, size_t size);

// Where tokens are written. Arrays may be null; at most `capacity` entries are written to each. `size` counts all
// tokens, those beyond the capacity too.
struct TokenSink {
  int32_t* ids = nullptr;
  int32_t* type_ids = nullptr;
  kinglet_span* offsets = nullptr;  // bytes of the text (of the pair's second text from its own start)
  size_t capacity = 0;
  size_t size = 0;
  size_t pair_begin = SIZE_MAX;  // the first token of the second text, where there is one
  bool truncated = false;
  // The pre-tokenized word that a token is part of, as Encoding.word_ids counts them: ascending within a text, though
  // not every number need occur. kNoWord for tokens that the template adds.
  uint32_t* words = nullptr;
};

// An immutable view of the tables in a FlatBuffer that outlives it. Thread-safe.
class Tokenizer {
 public:
  // Checks every table and index against the others, so that `encode` cannot read out of bounds whatever the text.
  // `vocabulary` is the model's: ids must be below it. `type_count` likewise; 0: the model takes no type ids, so any
  // will do. BAD_MODEL or UNSUPPORTED otherwise.
  static kinglet_status open(const fmt::Tokenizer& table, uint32_t vocabulary, uint32_t type_count, Tokenizer* out,
                             Error& error);

  // Tokenizes `text`, or the pair when `pair` is not null: added tokens, normalisation, pre-tokenisation, model,
  // truncation to `max_length` (longest first; 0: none) and template. `prefix` (a prompt) is put before the text;
  // its tokens have offsets [0, 0) of the text. INVALID_ARGUMENT when max_length has no room for the special tokens, or
  // for a pair when the model does not know the type ids that the template gives it; TOO_LONG for 4 GiB and more, and
  // for words that fixed memory is not enough for (byte pair encoding: see BpeWindow). The arrays hold no promise
  // beyond what was written on success.
  kinglet_status encode(std::string_view prefix, std::string_view text, const std::string_view* pair, size_t max_length,
                        TokenSink& sink, Error& error) const;

  // Special tokens that the template adds.
  size_t added_count(bool pair) const;

  // The text of a token; empty data pointer for an unknown id.
  std::string_view token(int32_t id) const;

  // What a token says by itself, without the letters that stand for bytes or spaces: writes at most `capacity` bytes of
  // UTF-8, whole characters, and returns how many there are.
  size_t token_text(int32_t id, char* text, size_t capacity) const;

 private:
  kinglet_status open_pool(uint32_t vocabulary, Error& error) const;
  kinglet_status open_templates(uint32_t type_count, Error& error);
  kinglet_status open_model(Error& error);
  kinglet_status open_wordpiece(const fmt::WordPiece& model, Error& error);
  void open_ascii();
  void open_token_begins();
  kinglet_status count_tokens(std::string_view prefix, std::string_view text, size_t* count, Error& error) const;

  const fmt::Tokenizer* table_ = nullptr;
  EncoderTables tables_;
  size_t added_single_ = 0, added_pair_ = 0;
  uint32_t pair_types_ = 0;  // type ids of the pair template are below this
  uint32_t type_count_ = 0;
};

}  // namespace kinglet
