// The model files of SentencePiece (spiece.model, sentencepiece.bpe.model, spm.model): a protobuf, read by hand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kinglet::convert {

struct SentencePieceModel {
  enum Type : uint64_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
  struct Piece {
    std::string text;
    float score = 0;
    uint64_t type = kNormal;
  };

  std::vector<Piece> pieces;
  uint64_t model_type = 1;  // 1 Unigram, 2 BPE, 3 words, 4 characters
  int64_t unknown = 0;
  std::string unknown_piece = "<unk>";
  std::string charsmap;
};

// `file` stands in errors. Throws Error when the bytes are no such model.
SentencePieceModel read_sentencepiece(const std::string& file, const std::string& bytes);

}  // namespace kinglet::convert
