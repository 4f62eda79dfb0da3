// A loaded tokenizer into the tables of tokenizer.fbs.
#include "tokenizers/compile.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "error.h"
#include "tokenizer/utf8.h"
#include "tokenizers/auto_tokenizer.h"
#include "tokenizers/charmap.h"
#include "tokenizers/trie_builder.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {
namespace {

constexpr uint32_t kIndexStep = 16;

struct AddedTables {
  std::vector<uint32_t> trie;
  std::vector<fmt::AddedToken> tokens;
};

void append_number(std::vector<uint8_t>& bytes, uint64_t number) {
  for (; number >= 0x80; number >>= 7) {
    bytes.push_back(static_cast<uint8_t>(0x80 | number));
  }
  bytes.push_back(static_cast<uint8_t>(number));
}

AddedTables compile_added(const std::vector<AddedVocabulary::Pattern>& patterns) {
  AddedTables tables;
  std::map<std::string, uint32_t> strings;
  for (const AddedVocabulary::Pattern& pattern : patterns) {
    if (strings.emplace(pattern.text, static_cast<uint32_t>(tables.tokens.size())).second) {
      const AddedToken& token = pattern.token;
      tables.tokens.emplace_back(pattern.id, token.single_word | token.lstrip << 1 | token.rstrip << 2);
    }
  }
  tables.trie = build_trie(strings);
  return tables;
}

// trim_offsets takes white space off the ranges of tokens. Where tokens are characters, few vocabularies have any.
void refuse_spaces(const std::map<std::string, uint32_t>& vocabulary) {
  for (const auto& [token, id] : vocabulary) {
    const Source source({}, token);
    for (size_t at = 0; at < token.size();) {
      const uint32_t c = decode(source, token.size(), at);
      if (c == 0x120 || unicode::space(c)) {
        throw Error("the post-processor's trim_offsets is not implemented for token " + std::to_string(id) +
                    ", which contains white space");
      }
    }
  }
}

class CompiledSource : public CompiledTokenizer {
 public:
  explicit CompiledSource(LoadedTokenizer loaded);

  flatbuffers::Offset<fmt::Tokenizer> write(flatbuffers::FlatBufferBuilder& builder) const override;
  uint32_t size() const override { return size_; }
  uint64_t model_max_length() const override { return loaded_.model_max_length; }
  std::optional<uint32_t> special_id(const std::string& attribute) const override {
    const auto found = loaded_.specials.find(attribute);
    return found == loaded_.specials.end()
               ? std::nullopt
               : loaded_.tokenizer.added.id(found->second, loaded_.tokenizer.vocabulary);
  }
  bool cleans_up_spaces() const override { return loaded_.clean_up_spaces; }
  bool marks_pieces() const override {
    return loaded_.tokenizer.is_wordpiece() && !loaded_.tokenizer.continuation.empty();
  }

 private:
  void compile_pool();
  void compile_model();
  flatbuffers::Offset<void> write_model(flatbuffers::FlatBufferBuilder& builder) const;

  LoadedTokenizer loaded_;
  uint32_t size_ = 0;
  uint32_t unknown_ = 0;
  std::vector<uint8_t> pool_;
  std::vector<uint32_t> pool_index_;
  CharMapTables map_;
  std::vector<uint32_t> trie_;
  std::optional<CompiledRules> rules_;
  std::optional<CompiledBpe> bpe_;
  std::optional<CompiledUnigram> unigram_;
  AddedTables raw_, normalized_;
  bool needs_word_chars_ = false;
};

CompiledSource::CompiledSource(LoadedTokenizer loaded) : loaded_(std::move(loaded)) {
  const SourceTokenizer& tokenizer = loaded_.tokenizer;
  compile_pool();
  compile_model();
  raw_ = compile_added(tokenizer.added.raw());
  normalized_ = compile_added(tokenizer.added.normalized());
  for (const auto* patterns : {&tokenizer.added.raw(), &tokenizer.added.normalized()}) {
    for (const AddedVocabulary::Pattern& pattern : *patterns) {
      needs_word_chars_ = needs_word_chars_ || pattern.token.single_word;
    }
  }
  for (const auto* entries : {&tokenizer.single, &tokenizer.pair}) {
    for (const TemplateEntry& entry : *entries) {
      if (entry.token >= 0 && static_cast<uint32_t>(entry.token) >= size_) {
        throw Error("the tokenizer's post_processor adds token " + std::to_string(entry.token) +
                    ", but the vocabulary has " + std::to_string(size_) + " tokens");
      }
    }
  }
}

void CompiledSource::compile_model() {
  const SourceTokenizer& tokenizer = loaded_.tokenizer;
  if (!tokenizer.is_wordpiece()) {
    rules_.emplace(tokenizer.rules, "the tokenizer's normalizer");
    map_ = rules_->map();
    if (tokenizer.rules.trim != 0 && (!tokenizer.bpe || tokenizer.bpe->metaspace)) {
      refuse_spaces(tokenizer.vocabulary);
    }
    if (tokenizer.bpe) {
      bpe_.emplace(*tokenizer.bpe, tokenizer.vocabulary);
    } else {
      unigram_.emplace(*tokenizer.unigram, size_);
    }
    return;
  }
  const auto unknown = tokenizer.vocabulary.find(tokenizer.unknown_token);
  if (unknown == tokenizer.vocabulary.end()) {
    throw Error("the tokenizer's vocabulary lacks its unk_token \"" + tokenizer.unknown_token + "\"");
  }
  unknown_ = unknown->second;
  trie_ = build_trie(tokenizer.vocabulary);
  map_ = loaded_.tokenizer.charmap();
}

void CompiledSource::compile_pool() {
  const SourceTokenizer& tokenizer = loaded_.tokenizer;
  std::map<uint32_t, const std::string*> texts;
  for (const auto& [text, id] : tokenizer.vocabulary) {
    texts[id] = &text;
  }
  for (const auto& [id, token] : tokenizer.added.by_id()) {
    texts[id] = &token.content;
  }
  size_ = texts.empty() ? 0 : texts.rbegin()->first + 1;
  // Gaps cost a byte each; a hostile file could otherwise ask for gigabytes.
  if (size_ > 2 * texts.size() + 100000) {
    throw Error("the tokenizer has " + std::to_string(texts.size()) + " tokens, but ids up to " +
                std::to_string(size_ - 1) + ": too many are missing");
  }
  for (uint32_t id = 0; id < size_; ++id) {
    if (id % kIndexStep == 0) {
      pool_index_.push_back(static_cast<uint32_t>(pool_.size()));
    }
    const auto found = texts.find(id);
    if (found == texts.end()) {
      append_number(pool_, 0);
      continue;
    }
    append_number(pool_, found->second->size() + 1);
    pool_.insert(pool_.end(), found->second->begin(), found->second->end());
  }
}

flatbuffers::Offset<void> CompiledSource::write_model(flatbuffers::FlatBufferBuilder& builder) const {
  if (rules_) {
    const auto rules = rules_->write(builder);
    return bpe_ ? bpe_->write(builder, rules).Union() : unigram_->write(builder, rules).Union();
  }
  const SourceTokenizer& tokenizer = loaded_.tokenizer;
  const auto trie = builder.CreateVector(trie_);
  return fmt::CreateWordPiece(builder, trie, builder.CreateString(tokenizer.continuation), unknown_,
                              tokenizer.max_word_chars, tokenizer.rules.trim)
      .Union();
}

flatbuffers::Offset<fmt::Tokenizer> CompiledSource::write(flatbuffers::FlatBufferBuilder& builder) const {
  const SourceTokenizer& tokenizer = loaded_.tokenizer;
  const auto write_added = [&](const AddedTables& tables) {
    return fmt::CreateAddedTokens(builder, builder.CreateVector(tables.trie),
                                  builder.CreateVectorOfStructs(tables.tokens));
  };
  const auto write_template = [&](const std::vector<TemplateEntry>& entries) {
    std::vector<fmt::TemplatePiece> pieces;
    for (const TemplateEntry& entry : entries) {
      pieces.emplace_back(entry.token, entry.type);
    }
    return builder.CreateVectorOfStructs(pieces);
  };
  const auto model = write_model(builder);
  const fmt::TokenModel kind = bpe_       ? fmt::TokenModel::Bpe
                               : unigram_ ? fmt::TokenModel::Unigram
                                          : fmt::TokenModel::WordPiece;
  const auto pool = builder.CreateVector(pool_);
  const auto pool_index = builder.CreateVector(pool_index_);
  const auto map = map_.write(builder);
  const auto raw = write_added(raw_);
  const auto normalized = write_added(normalized_);
  const auto spaces = builder.CreateVector(unicode::space_bounds());
  const auto word_chars = builder.CreateVector(needs_word_chars_ ? unicode::word_bounds() : std::vector<uint32_t>());
  const auto single = write_template(tokenizer.single);
  const auto pair = write_template(tokenizer.pair);
  return fmt::CreateTokenizer(builder, static_cast<uint32_t>(loaded_.model_max_length), size_, pool, pool_index, map,
                              kind, model, raw, normalized, spaces, word_chars, single,
                              pair);
}

}  // namespace

std::unique_ptr<CompiledTokenizer> compile_tokenizer(LoadedTokenizer loaded) {
  return std::make_unique<CompiledSource>(std::move(loaded));
}

std::unique_ptr<CompiledTokenizer> compile_tokenizer(const std::filesystem::path& folder) {
  try {
    auto loaded = load_tokenizer(folder);
    if (!loaded) {
      return nullptr;
    }
    try {
      return compile_tokenizer(std::move(*loaded));
    } catch (const Error& error) {
      throw Error(folder.string() + ": " + error.what());
    }
  } catch (const Error& error) {
    throw Error(one_line(error.what()));
  } catch (const nlohmann::json::exception& error) {
    throw Error(one_line(folder.string() + ": a tokenizer file cannot be read: " + error.what()));
  }
}

}  // namespace kinglet::convert
