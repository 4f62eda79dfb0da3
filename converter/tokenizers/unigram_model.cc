// Pieces and scores into a trie and an array.
#include "tokenizers/unigram_model.h"

#include <algorithm>
#include <cmath>

#include "error.h"
#include "tokenizer/unigram.h"
#include "tokenizers/trie_builder.h"

namespace kinglet::convert {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 22;
constexpr double kUnknownPenalty = 10;  // K_UNK_PENALTY

}  // namespace

UnigramModel read_unigram_model(const Field& model) {
  UnigramModel unigram;
  const Field pieces = model["vocab"];
  if (pieces.array().size() > kMaxPieces) {
    pieces.fail("there are more than " + std::to_string(kMaxPieces) + " of them");
  }
  size_t index = 0;
  for (const auto& piece : pieces.array()) {
    const Field field(pieces.where(), "[" + std::to_string(index++) + "]", piece);
    if (field.array().size() != 2 || !piece[1].is_number()) {
      field.fail("expected a token and its score");
    }
    unigram.pieces.emplace_back(field[size_t{0}].string(), piece[1].get<double>());
  }
  if (!model.get("unk_id").is_null()) {
    unigram.unknown = model["unk_id"].number(kMaxPieces);
  }
  unigram.byte_fallback = !model.get("byte_fallback").is_null() && model["byte_fallback"].boolean();
  return unigram;
}

std::map<std::string, uint32_t> vocabulary_of(const UnigramModel& model) {
  std::map<std::string, uint32_t> vocabulary;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    vocabulary[model.pieces[id].first] = static_cast<uint32_t>(id);
  }
  return vocabulary;
}

CompiledUnigram::CompiledUnigram(const UnigramModel& model, uint32_t token_count)
    : marker_(model.marker), flags_(model.flags()) {
  if (!model.unknown) {
    throw Error("the tokenizer's unk_id is null: Unigram without an unknown token is not implemented");
  }
  if (*model.unknown >= model.pieces.size()) {
    throw Error("the tokenizer's unk_id is " + std::to_string(*model.unknown) + ", expected less than " +
                std::to_string(model.pieces.size()));
  }
  unknown_ = static_cast<uint32_t>(*model.unknown);
  scores_.assign(token_count, 0);
  double least = INFINITY;
  for (size_t id = 0; id < model.pieces.size(); ++id) {
    const auto& [text, score] = model.pieces[id];
    if (!std::isfinite(score)) {
      throw Error("the score of token " + std::to_string(id) + " is not a finite number");
    }
    scores_[id] = score;
    least = std::min(least, score);
    precise_ = precise_ || static_cast<double>(static_cast<float>(score)) != score;
    const auto chars = static_cast<uint32_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
    if (chars > Unigram::kMaxTokenChars) {
      throw Error("token " + std::to_string(id) + " has " + std::to_string(chars) + " characters; at most " +
                  std::to_string(Unigram::kMaxTokenChars) + " are supported");
    }
    max_token_chars_ = std::max(max_token_chars_, chars);
  }
  unknown_score_ = least - kUnknownPenalty;
  const auto vocabulary = vocabulary_of(model);
  trie_ = build_trie(vocabulary);
  if (model.byte_fallback) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto found = vocabulary.find(std::string("<0x") + kHex[byte >> 4] + kHex[byte & 15] + ">");
      if (found == vocabulary.end()) {
        throw Error("byte_fallback is true, but the vocabulary lacks the token of byte " + std::to_string(byte));
      }
      bytes_.push_back(found->second);
    }
  }
}

flatbuffers::Offset<fmt::Unigram> CompiledUnigram::write(flatbuffers::FlatBufferBuilder& builder,
                                                         flatbuffers::Offset<fmt::Rules> rules) const {
  const auto trie = builder.CreateVector(trie_);
  flatbuffers::Offset<flatbuffers::Vector<float>> scores;
  flatbuffers::Offset<flatbuffers::Vector<double>> precise;
  flatbuffers::Offset<flatbuffers::Vector<uint32_t>> bytes;
  if (precise_) {
    precise = builder.CreateVector(scores_);
  } else {
    scores = builder.CreateVector(std::vector<float>(scores_.begin(), scores_.end()));
  }
  if (!bytes_.empty()) {
    bytes = builder.CreateVector(bytes_);
  }
  return fmt::CreateUnigram(builder, rules, trie, scores, precise, unknown_, unknown_score_, bytes, max_token_chars_,
                            marker_, flags_);
}

}  // namespace kinglet::convert
