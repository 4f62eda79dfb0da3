// What SentencePiece's models do with spaces: the pre-tokenizer Metaspace of `tokenizers`.
#pragma once

#include <cstdint>

#include "tokenizers/files.h"
#include "tokenizers/text_rules.h"

namespace kinglet::convert {

struct Metaspace {
  uint32_t marker = 0x2581;                // what a space becomes
  bool prefix = true, only_first = false;  // whether a marker is put before a text; only at the very beginning
  bool split = true;                       // a marker begins a word
  bool split_spaces = false;               // WhitespaceSplit stands before it

  // The flags of tokenizer.fbs.
  uint32_t flags() const;
};

// `pre_tokenizer` of a tokenizer.json: Metaspace in its old and new forms, alone or in Sequences, behind
// WhitespaceSplit or not; none, where the normalizer, of which `rules` are, makes markers. `model` stands in errors.
Metaspace read_metaspace(const Field& field, const TextRules& rules, const char* model);

}  // namespace kinglet::convert
