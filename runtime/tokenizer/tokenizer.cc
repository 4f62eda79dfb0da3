// Opening (all checks), truncation and templates.
#include "tokenizer/tokenizer.h"

#include <cstring>
#include <limits>

namespace kinglet {
namespace {

constexpr uint32_t kIndexStep = 16;  // every so many ids there is an entry of pool_index
constexpr size_t kMaxTextBytes = std::numeric_limits<uint32_t>::max() - 1;
constexpr int32_t kFirstText = -1, kSecondText = -2;

// Reads a LEB128 number of at most 32 bits at `at`, which moves behind it. False when it is damaged.
bool read_number(const uint8_t* bytes, size_t size, size_t& at, uint32_t& number) {
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (at == size) {
      return false;
    }
    const uint8_t byte = bytes[at++];
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      number = static_cast<uint32_t>(value);
      return value <= std::numeric_limits<uint32_t>::max();
    }
  }
  return false;
}

// HF's truncation strategy longest_first: how many tokens of a pair to keep within `budget`.
void longest_first(size_t budget, size_t& first, size_t& second) {
  if (first + second <= budget) {
    return;
  }
  const bool swap = first > second;
  size_t shorter = swap ? second : first;
  size_t longer = shorter > budget || shorter > budget - shorter ? shorter : budget - shorter;
  if (shorter + longer > budget) {
    shorter = budget / 2;
    longer = shorter + budget % 2;
  }
  const size_t keep_first = swap ? longer : shorter, keep_second = swap ? shorter : longer;
  first = keep_first < first ? keep_first : first;
  second = keep_second < second ? keep_second : second;
}

kinglet_status check_output(const TextOutput& output, Error& error) {
  return output.failed ? fail(error, KINGLET_TOO_LONG,
                              "a word of more than %u bytes cannot be cut where its tokens are sure", BpeWindow::kSize)
                       : KINGLET_OK;
}

}  // namespace

kinglet_status Tokenizer::open(const fmt::Tokenizer& table, uint32_t vocabulary, uint32_t type_count, Tokenizer* out,
                               Error& error) {
  Tokenizer tokenizer;
  tokenizer.table_ = &table;
  tokenizer.type_count_ = type_count;
  EncoderTables& tables = tokenizer.tables_;
  KINGLET_TRY(tokenizer.open_pool(vocabulary, error));
  KINGLET_TRY(CharMap::open(*table.map(), &tables.map, error));
  KINGLET_TRY(AddedTokens::open(*table.raw_tokens(), table.token_count(), "raw_tokens", &tables.raw_tokens, error));
  KINGLET_TRY(AddedTokens::open(*table.normalized_tokens(), table.token_count(), "normalized_tokens",
                                &tables.normalized_tokens, error));
  KINGLET_TRY(CodePointSet::open(*table.spaces(), "spaces", &tables.neighbours.spaces, error));
  KINGLET_TRY(CodePointSet::open(*table.word_chars(), "word_chars", &tables.neighbours.word_chars, error));
  KINGLET_TRY(tokenizer.open_model(error));
  KINGLET_TRY(tokenizer.open_templates(type_count, error));
  if (tokenizer.tables_.model == fmt::TokenModel::WordPiece) {
    tokenizer.open_ascii();
  } else {
    tokenizer.open_token_begins();
  }
  *out = tokenizer;
  return KINGLET_OK;
}

kinglet_status Tokenizer::open_pool(uint32_t vocabulary, Error& error) const {
  const uint32_t count = table_->token_count();
  if (count > vocabulary || count > static_cast<uint32_t>(std::numeric_limits<int32_t>::max())) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.token_count is %u, but the model has %u tokens", count,
                vocabulary);
  }
  const auto& index = *table_->pool_index();
  if (index.size() != (static_cast<uint64_t>(count) + kIndexStep - 1) / kIndexStep) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.pool_index has %u entries, expected one for every %u of %u tokens",
                index.size(), kIndexStep, count);
  }
  const uint8_t* pool = table_->pool()->data();
  const size_t size = table_->pool()->size();
  size_t at = 0;
  for (uint32_t id = 0; id < count; ++id) {
    if (id % kIndexStep == 0 && index.data()[id / kIndexStep] != at) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.pool_index[%u] is %u, but token %u begins at byte %zu",
                  id / kIndexStep, index.data()[id / kIndexStep], id, at);
    }
    uint32_t number;
    if (!read_number(pool, size, at, number) || (number > 0 && number - 1 > size - at)) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.pool ends inside token %u of %u", id, count);
    }
    at += number > 0 ? number - 1 : 0;
  }
  if (at != size) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.pool has %zu bytes, but its %u tokens take %zu", size, count, at);
  }
  return KINGLET_OK;
}

kinglet_status Tokenizer::open_model(Error& error) {
  tables_.model = table_->model_type();
  switch (tables_.model) {
    case fmt::TokenModel::WordPiece:
      return open_wordpiece(*table_->model_as_WordPiece(), error);
    case fmt::TokenModel::Bpe: {
      const fmt::Bpe& model = *table_->model_as_Bpe();
      KINGLET_TRY(Rules::open(*model.rules(), *table_->map(), &tables_.rules, error));
      return Bpe::open(model, table_->token_count(), &tables_.bpe, error);
    }
    case fmt::TokenModel::Unigram: {
      const fmt::Unigram& model = *table_->model_as_Unigram();
      KINGLET_TRY(Rules::open(*model.rules(), *table_->map(), &tables_.rules, error));
      return Unigram::open(model, table_->token_count(), &tables_.unigram, error);
    }
    default:
      return fail(error, KINGLET_UNSUPPORTED,
                  "tokenizer.model is of kind %u, expected 1 (WordPiece), 2 (Bpe) or 3 (Unigram)",
                  static_cast<unsigned>(table_->model_type()));
  }
}

kinglet_status Tokenizer::open_wordpiece(const fmt::WordPiece& model, Error& error) {
  KINGLET_TRY(Trie::open(*model.trie(), table_->token_count(), "model.trie", &tables_.pieces, error));
  if (model.unknown() >= table_->token_count()) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.unknown is %u, expected less than %u", model.unknown(),
                table_->token_count());
  }
  const auto& prefix = *model.continuation();
  tables_.continuation = tables_.pieces.root();
  tables_.has_continuation = true;
  for (uint32_t i = 0; i < prefix.size() && tables_.has_continuation; ++i) {
    tables_.continuation = tables_.pieces.step(tables_.continuation, static_cast<uint8_t>(prefix.data()[i]));
    tables_.has_continuation = tables_.continuation != Trie::kNone;
  }
  if (model.trim() > (Rules::kTrim | Rules::kPrefixed)) {
    return fail(error, KINGLET_UNSUPPORTED, "tokenizer.model.trim %u is unknown", model.trim());
  }
  tables_.rules.set_trim(model.trim());
  tables_.unknown = model.unknown();
  tables_.max_word_chars = model.max_word_chars();
  return KINGLET_OK;
}

kinglet_status Tokenizer::open_templates(uint32_t type_count, Error& error) {
  for (const bool pair : {false, true}) {
    const char* field = pair ? "pair" : "single";
    const auto& pieces = pair ? *table_->pair() : *table_->single();
    if (pieces.size() > 1024) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s has %u pieces, expected at most 1024", field, pieces.size());
    }
    size_t added = 0;
    for (uint32_t i = 0; i < pieces.size(); ++i) {
      const int32_t token = pieces.Get(i)->token();
      const uint32_t type = pieces.Get(i)->type();
      if (token < (pair ? kSecondText : kFirstText) ||
          (token >= 0 && static_cast<uint32_t>(token) >= table_->token_count())) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s[%u].token is %d, expected a token or a text", field, i,
                    token);
      }
      if (type > static_cast<uint32_t>(std::numeric_limits<int32_t>::max()) ||
          (!pair && type_count != 0 && type >= type_count)) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.%s[%u].type is %u, expected less than %u", field, i, type,
                    type_count);
      }
      added += token >= 0;
      pair_types_ = pair && type >= pair_types_ ? type + 1 : pair_types_;
    }
    (pair ? added_pair_ : added_single_) = added;
  }
  return KINGLET_OK;
}

void Tokenizer::open_ascii() {
  for (uint32_t c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    const Source source({}, std::string_view(&byte, 1));
    const Piece piece{source, tables_.map, 1};
    Elements elements(0);
    Element first, other;
    const bool plain =
        elements.next(piece, first) && first.length == 1 && first.combining_class == 0 && !elements.next(piece, other);
    tables_.ascii.kind[c] = plain ? static_cast<uint8_t>(first.kind) : AsciiTable::kOther;
    tables_.ascii.byte[c] = plain ? first.bytes[0] : 0;
  }
}

void Tokenizer::open_token_begins() {
  const AddedTokens& tokens = tables_.normalized_tokens;
  uint8_t space[4];
  encode_utf8(tables_.rules.space(), space);
  const Rules& rules = tables_.rules;
  uint8_t ascii[128] = {};
  const bool always = rules.has_literals() || (rules.strip() & Rules::kPrepend) != 0 || tokens.starts_with(space[0]);
  for (uint32_t c = 0; c < 128; ++c) {
    const char byte = static_cast<char>(c);
    const Source source({}, std::string_view(&byte, 1));
    const Piece piece{source, tables_.map, 1, &rules};
    Characters characters(0);
    Element element;
    // White space may be stripped here, and left elsewhere.
    bool begins = always || tokens.starts_with(static_cast<uint8_t>(c));
    uint32_t count = 0;
    uint8_t becomes = 0;
    if ((rules.strip() & Rules::kPrepend) != 0) {
      characters.next(piece, element);
    }
    for (; characters.next(piece, element); ++count) {
      begins = begins || tokens.starts_with(element.bytes[0]);
      becomes = element.length == 1 ? element.bytes[0] : uint8_t{0};
    }
    tables_.token_begins[c >> 6] |= uint64_t{begins} << (c & 63);
    // White space depends on what stands beside it, literals on what stands behind.
    const uint8_t entry = rules.classes().of(c);
    const bool space = CharClasses::letter(entry) == Letter::space || (entry & CharClasses::kStripped) != 0 || c == ' ';
    const bool alone =
        (rules.collapse() == Rules::kKeep && (rules.strip() & (Rules::kLeft | Rules::kRight)) == 0) || !space;
    const bool literal =
        rules.has_literals() && rules.literals().step(rules.literals().root(), static_cast<uint8_t>(c)) != Trie::kNone;
    if (count == 1 && alone && !literal && c != 0 && c != '\r' && (entry & CharClasses::kCombines) == 0) {
      ascii[c] = becomes;
    }
  }
  for (uint32_t c = 0; c < 128; ++c) {
    tables_.rules.set_ascii(static_cast<uint8_t>(c), ascii[c]);
  }
}

kinglet_status Tokenizer::count_tokens(std::string_view prefix, std::string_view text, size_t* count,
                                       Error& error) const {
  TextOutput output;
  output.limit = std::numeric_limits<size_t>::max();
  encode_text(tables_, Source(prefix, text), output);
  *count = output.count;
  return check_output(output, error);
}

kinglet_status Tokenizer::encode(std::string_view prefix, std::string_view text, const std::string_view* pair,
                                 size_t max_length, TokenSink& sink, Error& error) const {
  sink.size = 0;
  sink.truncated = false;
  sink.pair_begin = std::numeric_limits<size_t>::max();
  if (prefix.size() > kMaxTextBytes || text.size() > kMaxTextBytes - prefix.size() ||
      (pair != nullptr && pair->size() > kMaxTextBytes)) {
    return fail(error, KINGLET_TOO_LONG, "a text of 4 GiB or more cannot be tokenized");
  }
  if (pair != nullptr && type_count_ != 0 && pair_types_ > type_count_) {
    return fail(error, KINGLET_INVALID_ARGUMENT,
                "a pair of texts needs %u type ids, but the model has %u: give it one text", pair_types_, type_count_);
  }
  const size_t added = added_count(pair != nullptr);
  if (max_length != 0 && max_length < added) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "max_length is %zu, but the special tokens alone are %zu", max_length,
                added);
  }
  size_t limits[2] = {std::numeric_limits<size_t>::max(), std::numeric_limits<size_t>::max()};
  if (max_length != 0) {
    limits[0] = max_length - added;
    if (pair != nullptr) {
      KINGLET_TRY(count_tokens(prefix, text, &limits[0], error));
      KINGLET_TRY(count_tokens({}, *pair, &limits[1], error));
      longest_first(max_length - added, limits[0], limits[1]);
    }
  }
  const auto& pieces = pair != nullptr ? *table_->pair() : *table_->single();
  for (const fmt::TemplatePiece* piece : pieces) {
    const bool second = piece->token() == kSecondText;
    TextOutput output;
    output.ids = sink.ids;
    output.type_ids = sink.type_ids;
    output.offsets = sink.offsets;
    output.words = sink.words;
    output.capacity = sink.capacity;
    output.base = sink.size;
    output.type = static_cast<int32_t>(piece->type());
    if (piece->token() >= 0) {
      output.limit = 1;
      output.add(static_cast<uint32_t>(piece->token()), 0, 0);
      if (sink.offsets != nullptr && sink.size < sink.capacity) {
        sink.offsets[sink.size] = {KINGLET_NO_OFFSET, KINGLET_NO_OFFSET};
      }
      if (sink.words != nullptr && sink.size < sink.capacity) {
        sink.words[sink.size] = kNoWord;
      }
    } else {
      if (second) {
        sink.pair_begin = sink.size;
      }
      output.limit = limits[second];
      output.prefix = second ? 0 : prefix.size();
      encode_text(tables_, second ? Source({}, *pair) : Source(prefix, text), output);
      KINGLET_TRY(check_output(output, error));
    }
    sink.truncated = sink.truncated || output.count > output.limit;
    sink.size += output.count < output.limit ? output.count : output.limit;
  }
  return KINGLET_OK;
}

size_t Tokenizer::added_count(bool pair) const {
  return pair ? added_pair_ : added_single_;
}

std::string_view Tokenizer::token(int32_t id) const {
  if (table_ == nullptr || id < 0 || static_cast<uint32_t>(id) >= table_->token_count()) {
    return {};
  }
  const uint8_t* pool = table_->pool()->data();
  const size_t size = table_->pool()->size();
  size_t at = table_->pool_index()->data()[static_cast<uint32_t>(id) / kIndexStep];
  uint32_t number = 0;
  for (uint32_t skip = static_cast<uint32_t>(id) % kIndexStep + 1; skip > 0; --skip) {
    at += number > 0 ? number - 1 : 0;
    read_number(pool, size, at, number);
  }
  return number == 0 ? std::string_view() : std::string_view(reinterpret_cast<const char*>(pool) + at, number - 1);
}

}  // namespace kinglet
