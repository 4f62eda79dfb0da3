// Checks the tables of Unigram, and finds best paths.
#include "tokenizer/unigram.h"

namespace kinglet {
namespace {

bool is_finite(double number) {
  return number - number == 0;
}

template <typename T>
kinglet_status check_scores(const flatbuffers::Vector<T>& scores, uint32_t token_count, const char* field,
                            Error& error) {
  if (scores.size() != token_count) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.%s has %u entries, expected one for each of %u tokens",
                field, scores.size(), token_count);
  }
  for (uint32_t i = 0; i < scores.size(); ++i) {
    if (!is_finite(static_cast<double>(scores.data()[i]))) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.%s[%u] is not a finite number", field, i);
    }
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status Unigram::open(const fmt::Unigram& table, uint32_t token_count, Unigram* out, Error& error) {
  Unigram model;
  KINGLET_TRY(Trie::open(*table.trie(), token_count, "model.trie", &model.trie_, error));
  if ((table.scores() == nullptr) == (table.precise_scores() == nullptr)) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model: expected either scores or precise_scores");
  }
  if (table.scores() != nullptr) {
    KINGLET_TRY(check_scores(*table.scores(), token_count, "scores", error));
    model.scores_ = table.scores()->data();
  } else {
    KINGLET_TRY(check_scores(*table.precise_scores(), token_count, "precise_scores", error));
    model.precise_scores_ = table.precise_scores()->data();
  }
  if (!is_finite(table.unknown_score())) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.unknown_score is not a finite number");
  }
  if (table.unknown() >= token_count) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.unknown is %u, expected less than %u", table.unknown(),
                token_count);
  }
  if (table.bytes() != nullptr) {
    if (table.bytes()->size() != 256) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.bytes has %u entries, expected 256",
                  table.bytes()->size());
    }
    for (uint32_t i = 0; i < 256; ++i) {
      if (table.bytes()->data()[i] >= token_count) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.bytes[%u] is %u, expected less than %u", i,
                    table.bytes()->data()[i], token_count);
      }
    }
    model.bytes_ = table.bytes()->data();
  }
  if (table.max_token_chars() == 0 || table.max_token_chars() > kMaxTokenChars) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.max_token_chars is %u, expected 1 to %u",
                table.max_token_chars(), kMaxTokenChars);
  }
  KINGLET_TRY(Marking::open(table.marker(), table.flags(), Marking::kCut - 1, &model.marking_, error));
  model.unknown_ = table.unknown();
  model.unknown_score_ = table.unknown_score();
  model.max_token_chars_ = table.max_token_chars();
  *out = model;
  return KINGLET_OK;
}

// As encode_optimized of `tokenizers`, over characters instead of bytes.
double UnigramWindow::solve(const Unigram& model, double score) {
  for (uint32_t i = 0; i <= size_; ++i) {
    from_[i] = kUnset;
  }
  score_[0] = score;
  for (uint32_t begin = 0; begin < size_; ++begin) {
    const double before = score_[begin];
    const auto reach = [&](uint32_t end, double gain, uint32_t id) {
      const double sum = gain + before;
      if (from_[end] == kUnset || sum > score_[end]) {
        from_[end] = static_cast<uint16_t>(begin);
        score_[end] = sum;
        id_[end] = id;
      }
    };
    bool single = false;
    uint32_t node = model.trie().root();
    for (uint32_t at = begin; at < size_ && at - begin < model.max_token_chars(); ++at) {
      node = model.trie().step(node, chars_[at].bytes, chars_[at].length);
      if (node == Trie::kNone) {
        break;
      }
      if (Trie::has_value(node)) {
        const uint32_t id = model.trie().value(node);
        reach(at + 1, model.score(id), id);
        single = single || at == begin;
      }
    }
    if (!single) {
      reach(begin + 1, model.unknown_score(), model.unknown());
    }
  }
  for (uint32_t end = size_; end > 0; end = from_[end]) {
    next_[from_[end]] = static_cast<uint16_t>(end);
  }
  return score_[size_];
}

}  // namespace kinglet
