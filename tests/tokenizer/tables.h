// Test helper: small tokenizers made in memory, and their tables with any one part replaced.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "compiled.h"
#include "tokenizers/auto_tokenizer.h"
#include "tokenizers/trie_builder.h"
#include "tokenizers/unicode.h"

namespace kinglet::test {

// Ids in order; [UNK] must be among them. [CLS] and [SEP], where they are, make up the template.
inline convert::LoadedTokenizer make_tokenizer(const std::vector<std::string>& vocabulary) {
  convert::LoadedTokenizer loaded;
  for (const std::string& token : vocabulary) {
    loaded.tokenizer.vocabulary.emplace(token, static_cast<uint32_t>(loaded.tokenizer.vocabulary.size()));
  }
  constexpr int32_t a = convert::TemplateEntry::kFirstText, b = convert::TemplateEntry::kSecondText;
  const auto& ids = loaded.tokenizer.vocabulary;
  if (ids.count("[CLS]") != 0) {
    const auto cls = static_cast<int32_t>(ids.at("[CLS]")), sep = static_cast<int32_t>(ids.at("[SEP]"));
    loaded.tokenizer.single = {{cls, 0}, {a, 0}, {sep, 0}};
    loaded.tokenizer.pair = {{cls, 0}, {a, 0}, {sep, 0}, {b, 1}, {sep, 1}};
  } else {
    loaded.tokenizer.single = {{a, 0}};
    loaded.tokenizer.pair = {{a, 0}, {b, 1}};
  }
  return loaded;
}

// The parts of a table, for tests that break one of them.
struct TableParts {
  uint32_t token_count = 0;
  std::vector<uint8_t> pool;
  std::vector<uint32_t> pool_index;
  std::vector<uint16_t> blocks, entries;
  std::vector<uint8_t> expansions;
  uint16_t rest = 0;
  bool has_model = true;
  std::vector<uint32_t> trie;
  std::string continuation = "##";
  uint32_t unknown = 0;
  uint64_t max_word_chars = 100;
  std::vector<uint32_t> raw_trie, normalized_trie;
  std::vector<fmt::AddedToken> raw_tokens, normalized_tokens;
  std::vector<uint32_t> spaces, word_chars;
  std::vector<fmt::TemplatePiece> single, pair;

  // The tokens "[UNK]", "a", "##b" and "ab", and the added token "ab" in the raw text.
  TableParts() {
    const std::vector<std::string> tokens{"[UNK]", "a", "##b", "ab"};
    token_count = 4;
    pool_index = {0};
    std::map<std::string, uint32_t> strings;
    for (const std::string& token : tokens) {
      pool.push_back(static_cast<uint8_t>(token.size() + 1));
      pool.insert(pool.end(), token.begin(), token.end());
      strings.emplace(token, static_cast<uint32_t>(strings.size()));
    }
    trie = convert::build_trie(strings);
    const convert::CharMapTables map = convert::build_charmap({});
    blocks = map.blocks;
    entries = map.entries;
    expansions = map.expansions;
    rest = map.rest;
    raw_trie = convert::build_trie({{"ab", 0}});
    raw_tokens = {fmt::AddedToken(3, 0)};
    normalized_trie = convert::build_trie({});
    spaces = convert::unicode::space_bounds();
    single = {fmt::TemplatePiece(0, 0), fmt::TemplatePiece(-1, 0)};
    pair = {fmt::TemplatePiece(-1, 0), fmt::TemplatePiece(-2, 1)};
  }

  void write(flatbuffers::FlatBufferBuilder& builder) const {
    const auto map = fmt::CreateCharMap(builder, builder.CreateVector(blocks), builder.CreateVector(entries),
                                        builder.CreateVector(expansions), rest);
    const auto model = fmt::CreateWordPiece(builder, builder.CreateVector(trie), builder.CreateString(continuation),
                                            unknown, max_word_chars);
    const auto raw = fmt::CreateAddedTokens(builder, builder.CreateVector(raw_trie),
                                            builder.CreateVectorOfStructs(raw_tokens));
    const auto normalized = fmt::CreateAddedTokens(builder, builder.CreateVector(normalized_trie),
                                                   builder.CreateVectorOfStructs(normalized_tokens));
    builder.Finish(fmt::CreateTokenizer(
        builder, 0, token_count, builder.CreateVector(pool), builder.CreateVector(pool_index), map,
        has_model ? fmt::TokenModel::WordPiece : static_cast<fmt::TokenModel>(7), model.Union(), raw, normalized,
        builder.CreateVector(spaces), builder.CreateVector(word_chars), builder.CreateVectorOfStructs(single),
        builder.CreateVectorOfStructs(pair)));
  }
};

}  // namespace kinglet::test
