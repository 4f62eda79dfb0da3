// What convert_slow_tokenizer of transformers 4.57.3 makes of SentencePiece's files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizers/sentencepiece.h"
#include "tokenizers/wordpiece.h"

namespace kinglet::convert {

struct SlowSettings {
  // AlbertTokenizer, CamembertTokenizer, XLMRobertaTokenizer, DebertaV2Tokenizer, LlamaTokenizer or GemmaTokenizer
  std::string class_name;
  bool lower_case = false;    // do_lower_case
  bool keep_accents = false;
  bool legacy = true;         // of Llama
  bool add_prefix_space = true;            // of Llama
  std::vector<std::string> first_pieces;   // of Gemma: its pad, eos and bos tokens
};

// The tokenizer without its post-processor. Throws Error, by name, for what is not implemented.
SourceTokenizer convert_sentencepiece(const std::string& file, const SentencePieceModel& model,
                                      const SlowSettings& settings);

}  // namespace kinglet::convert
