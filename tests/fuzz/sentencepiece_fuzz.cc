// Fuzzes the reader of SentencePiece's model files, and what is made of them. The first byte of an input chooses the
// tokenizer class, the rest is a file. Whatever it holds, it is refused with an Error or becomes a tokenizer.
#include <cstddef>
#include <cstdint>
#include <string>

#include "error.h"
#include "tokenizers/convert_slow.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::convert;
  static constexpr const char* kClasses[] = {"AlbertTokenizer",    "CamembertTokenizer", "XLMRobertaTokenizer",
                                             "DebertaV2Tokenizer", "LlamaTokenizer",     "GemmaTokenizer"};
  if (size == 0) {
    return 0;
  }
  try {
    const SentencePieceModel model = read_sentencepiece("fuzz", std::string(data + 1, data + size));
    SlowSettings settings;
    settings.class_name = kClasses[(data[0] & 7) % 6];
    settings.legacy = (data[0] & 8) == 0;
    settings.first_pieces = {"<pad>", "<eos>", "<bos>"};
    const SourceTokenizer tokenizer = convert_sentencepiece("fuzz", model, settings);
    if (tokenizer.bpe) {
      CompiledBpe(*tokenizer.bpe, tokenizer.vocabulary);
    } else {
      CompiledUnigram(*tokenizer.unigram, static_cast<uint32_t>(tokenizer.unigram->pieces.size()));
    }
    if (!tokenizer.rules.charsmap.empty()) {
      CompiledRules(tokenizer.rules, "the charsmap");
    }
  } catch (const Error&) {
  }
  return 0;
}
