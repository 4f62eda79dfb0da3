// What convert_slow_tokenizer of transformers 4.57.3 makes of SentencePiece's files.
#pragma once

#include <cstdint>
#include <string>

#include "tokenizers/sentencepiece.h"
#include "tokenizers/wordpiece.h"

namespace kinglet::convert {

struct SlowSettings {
  std::string class_name;     // AlbertTokenizer, CamembertTokenizer, XLMRobertaTokenizer or DebertaV2Tokenizer
  bool lower_case = false;    // do_lower_case
  bool keep_accents = false;
};

// The tokenizer without its post-processor. Throws Error, by name, for what is not implemented.
SourceTokenizer convert_sentencepiece(const std::string& file, const SentencePieceModel& model,
                                      const SlowSettings& settings);

}  // namespace kinglet::convert
