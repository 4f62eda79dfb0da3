// SpmConverter and its children.
#include "tokenizers/convert_slow.h"

#include <array>

#include "error.h"
#include "tokenizer/utf8.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {
namespace {

using Pieces = std::vector<std::pair<std::string, double>>;

// AlbertConverter: pieces that end with a digit and a comma are made unlikely.
double albert_score(const std::string& file, const SentencePieceModel::Piece& piece) {
  const Source source({}, piece.text);
  std::vector<uint32_t> text;
  for (size_t at = 0; at < piece.text.size();) {
    text.push_back(decode(source, piece.text.size(), at));
  }
  const double score = piece.score;
  if (text.size() < 2 || text.back() != ',') {
    return score;
  }
  const uint32_t before = text[text.size() - 2];
  if (before > 0x7f && unicode::number(before)) {
    throw Error(file + ": the piece \"" + piece.text + "\": numbers beyond ASCII before a comma are not implemented");
  }
  return before >= '0' && before <= '9' ? score - 100 : score;
}

Pieces pieces_of(const std::string& file, const SentencePieceModel& model, const std::string& name) {
  Pieces pieces;
  size_t skip = 0;
  if (name == "XLMRobertaTokenizer") {
    pieces = {{"<s>", 0.0}, {"<pad>", 0.0}, {"</s>", 0.0}, {"<unk>", 0.0}};
    skip = 3;
  } else if (name == "CamembertTokenizer") {
    pieces = {{"<s>NOTUSED", 0.0}, {"<pad>", 0.0}, {"</s>NOTUSED", 0.0}, {"<unk>", 0.0}, {"<unk>NOTUSED", -100.0}};
    skip = 1;
  }
  for (size_t i = skip; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    pieces.emplace_back(piece.text, name == "AlbertTokenizer" ? albert_score(file, piece) : piece.score);
  }
  if (skip > 0) {
    pieces.emplace_back("<mask>", 0.0);
  }
  return pieces;
}

TextRules rules_of(const SentencePieceModel& model, const SlowSettings& settings) {
  TextRules rules;
  rules.charsmap = model.charsmap;
  rules.collapse = Rules::kSpaces;
  rules.space = ' ';
  if (settings.class_name == "AlbertTokenizer") {
    rules.literals = {{"``", '"'}, {"''", '"'}};
    rules.decompose = rules.compatibility = rules.strip_accents = !settings.keep_accents;
    rules.lowercase = settings.lower_case;
  } else if (settings.class_name == "DebertaV2Tokenizer") {
    rules.lowercase = settings.lower_case;
    rules.strip = Rules::kLeftBefore | Rules::kRightBefore;
  } else {
    rules.strip = Rules::kRight;
    rules.space = 0x2581;
  }
  return rules;
}

}  // namespace

SourceTokenizer convert_sentencepiece(const std::string& file, const SentencePieceModel& model,
                                      const SlowSettings& settings) {
  if (model.model_type != 1) {
    static constexpr std::array<const char*, 5> kNames = {"0", "Unigram", "BPE", "words", "characters"};
    throw Error(file + ": a SentencePiece model of type " +
                (model.model_type < kNames.size() ? kNames[model.model_type] : "unknown") +
                " is not implemented, expected Unigram");
  }
  SourceTokenizer tokenizer;
  tokenizer.unigram.emplace();
  tokenizer.unigram->pieces = pieces_of(file, model, settings.class_name);
  const bool shifted = settings.class_name == "XLMRobertaTokenizer" || settings.class_name == "CamembertTokenizer";
  if (!shifted && model.unknown < 0) {
    throw Error(file + ": its unk_id is negative, expected one of its pieces");
  }
  tokenizer.unigram->unknown = shifted ? 3 : static_cast<uint64_t>(model.unknown);
  tokenizer.vocabulary = vocabulary_of(*tokenizer.unigram);
  tokenizer.rules = rules_of(model, settings);
  std::vector<AddedToken> tokens;
  for (const auto& piece : model.pieces) {
    if (piece.type == SentencePieceModel::kControl || piece.type == SentencePieceModel::kUserDefined) {
      AddedToken token;
      token.content = piece.text;
      token.normalized = false;
      token.special = piece.type == SentencePieceModel::kControl;
      tokens.push_back(token);
    }
  }
  tokenizer.add_tokens(tokens);
  return tokenizer;
}

}  // namespace kinglet::convert
