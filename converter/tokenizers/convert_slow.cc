// SpmConverter and its children.
#include "tokenizers/convert_slow.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "error.h"
#include "tokenizer/utf8.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {
namespace {

constexpr uint32_t kMarker = 0x2581;
constexpr size_t kMaxMerges = size_t{1} << 22;
constexpr uint64_t kMaxWork = uint64_t{1} << 28;  // bytes of pieces that are looked at, and of merges at most

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

Pieces pieces_of(const std::string& file, const SentencePieceModel& model, const SlowSettings& settings) {
  const std::string& name = settings.class_name;
  Pieces pieces;
  size_t skip = 0;
  if (name == "XLMRobertaTokenizer") {
    pieces = {{"<s>", 0.0}, {"<pad>", 0.0}, {"</s>", 0.0}, {"<unk>", 0.0}};
    skip = 3;
  } else if (name == "CamembertTokenizer") {
    pieces = {{"<s>NOTUSED", 0.0}, {"<pad>", 0.0}, {"</s>NOTUSED", 0.0}, {"<unk>", 0.0}, {"<unk>NOTUSED", -100.0}};
    skip = 1;
  }
  const bool llama = name == "LlamaTokenizer", gemma = name == "GemmaTokenizer";
  if (llama || gemma) {
    if (model.pieces.size() < 3) {
      throw Error(file + ": has " + std::to_string(model.pieces.size()) + " pieces, expected 3 at least");
    }
    for (skip = 0; skip < 3; ++skip) {
      pieces.emplace_back(gemma ? settings.first_pieces.at(skip) : model.pieces[skip].text, 0.0);
    }
  }
  for (size_t i = skip; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    pieces.emplace_back(piece.text, name == "AlbertTokenizer" ? albert_score(file, piece) : piece.score);
  }
  if (skip > 0 && !llama && !gemma) {
    pieces.emplace_back("<mask>", 0.0);
  }
  if (gemma && std::none_of(pieces.begin(), pieces.end(), [](const auto& piece) { return piece.first == "\t"; })) {
    const auto tab = std::find_if(pieces.begin(), pieces.end(), [](const auto& piece) { return piece.first == "<0x09>"; });
    if (tab != pieces.end()) {
      *tab = {"\t", 0.0};
    }
  }
  return pieces;
}

TextRules rules_of(const SentencePieceModel& model, const SlowSettings& settings) {
  TextRules rules;
  if (settings.class_name == "GemmaTokenizer" || settings.class_name == "LlamaTokenizer") {
    if (settings.legacy) {
      rules.literals = {{" ", kMarker}};
    }
    if (settings.legacy && settings.add_prefix_space && settings.class_name == "LlamaTokenizer") {
      rules.strip = Rules::kPrepend;
      rules.space = kMarker;
    }
    return rules;
  }
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
    rules.space = kMarker;
  }
  return rules;
}

Metaspace metaspace_of(const SlowSettings& settings) {
  Metaspace metaspace;
  if (settings.class_name == "GemmaTokenizer" || settings.class_name == "LlamaTokenizer") {
    metaspace.prefix = metaspace.only_first = !settings.legacy && settings.add_prefix_space;
    metaspace.split = false;
  }
  return metaspace;
}

// generate_merges: whatever two pieces make a third, by its score. `scored` are the pieces of the vocabulary, whose
// numbers may differ from those of the file.
std::vector<std::pair<std::string, std::string>> merges_of(const std::string& file, const SentencePieceModel& model,
                                                           const Pieces& scored, bool gemma) {
  std::unordered_map<std::string_view, uint32_t> ids;
  for (size_t i = 0; i < model.pieces.size(); ++i) {
    ids[model.pieces[i].text] = static_cast<uint32_t>(i);
  }
  if (const auto tab = ids.find("<0x09>"); gemma && tab != ids.end()) {
    ids.emplace("\t", tab->second);
  }
  // As in a dict of Python's: equal ones have the place of the first and the score of the last.
  std::unordered_map<std::string_view, double> scores;
  for (const auto& [text, score] : scored) {
    scores[text] = score;
  }
  struct Merge {
    std::string_view left, right;
    double score;
    size_t left_chars, right_chars;
    uint32_t left_id, right_id;
  };
  std::vector<Merge> merges;
  uint64_t work = 0;
  for (const auto& [text, score] : scored) {
    const auto found = scores.find(text);
    if (found == scores.end()) {
      continue;
    }
    const double value = found->second;
    scores.erase(found);
    work += uint64_t{text.size()} * text.size();
    if (!std::isfinite(value) || work > kMaxWork || merges.size() > kMaxMerges) {
      throw Error(file + (std::isfinite(value) ? ": has too many and too long pieces to make merges of them"
                                               : ": a score is not a finite number"));
    }
    const size_t first = merges.size();
    const auto is_char = [](char c) { return (c & 0xc0) != 0x80; };
    const auto chars = static_cast<size_t>(std::count_if(text.begin(), text.end(), is_char));
    const std::string_view piece = text;
    for (size_t at = 1, left = 1; at < piece.size(); ++at) {
      if (is_char(piece[at])) {
        const auto before = ids.find(piece.substr(0, at)), behind = ids.find(piece.substr(at));
        if (before != ids.end() && behind != ids.end()) {
          merges.push_back({before->first, behind->first, value, left, chars - left, before->second, behind->second});
        }
        ++left;
      }
    }
    std::sort(merges.begin() + static_cast<std::ptrdiff_t>(first), merges.end(), [](const Merge& a, const Merge& b) {
      return std::pair(a.left_id, a.right_id) < std::pair(b.left_id, b.right_id);
    });
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tuple(a.score, a.left_chars, a.right_chars) > std::tuple(b.score, b.left_chars, b.right_chars);
  });
  std::vector<std::pair<std::string, std::string>> result;
  for (const Merge& merge : merges) {
    result.emplace_back(merge.left, merge.right);
  }
  return result;
}

}  // namespace

SourceTokenizer convert_sentencepiece(const std::string& file, const SentencePieceModel& model,
                                      const SlowSettings& settings) {
  if (model.model_type != 1 && model.model_type != 2) {
    static constexpr std::array<const char*, 5> kNames = {"0", "Unigram", "BPE", "words", "characters"};
    throw Error(file + ": a SentencePiece model of type " +
                (model.model_type < kNames.size() ? kNames[model.model_type] : "unknown") +
                " is not implemented, expected Unigram or BPE");
  }
  SourceTokenizer tokenizer;
  const bool llama = settings.class_name == "LlamaTokenizer", gemma = settings.class_name == "GemmaTokenizer";
  UnigramModel unigram;
  unigram.pieces = pieces_of(file, model, settings);
  unigram.byte_fallback = llama || gemma;
  tokenizer.vocabulary = vocabulary_of(unigram);
  if (model.model_type == 2) {
    tokenizer.bpe.emplace();
    tokenizer.bpe->merges = merges_of(file, model, unigram.pieces, gemma);
    tokenizer.bpe->unknown = model.unknown_piece;
    tokenizer.bpe->fuse_unknown = true;
    tokenizer.bpe->byte_fallback = unigram.byte_fallback;
    tokenizer.bpe->metaspace = metaspace_of(settings);
  } else {
    const bool shifted = settings.class_name == "XLMRobertaTokenizer" || settings.class_name == "CamembertTokenizer";
    if (!shifted && !llama && !gemma && model.unknown < 0) {
      throw Error(file + ": its unk_id is negative, expected one of its pieces");
    }
    unigram.unknown = shifted || gemma ? 3 : llama ? 0 : static_cast<uint64_t>(model.unknown);
    static_cast<Metaspace&>(unigram) = metaspace_of(settings);
    tokenizer.unigram = std::move(unigram);
  }
  tokenizer.rules = rules_of(model, settings);
  std::vector<AddedToken> tokens;
  for (const auto& piece : model.pieces) {
    if (piece.type == SentencePieceModel::kControl || piece.type == SentencePieceModel::kUserDefined) {
      AddedToken token;
      token.content = piece.text;
      token.normalized = false;
      token.special = piece.type == SentencePieceModel::kControl ||
                      (gemma && (piece.text == "<start_of_turn>" || piece.text == "<end_of_turn>"));
      tokens.push_back(token);
    }
  }
  tokenizer.add_tokens(tokens);
  return tokenizer;
}

}  // namespace kinglet::convert
