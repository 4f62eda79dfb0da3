// One test per way in which a tokenizer's table can be broken: it is refused, and the message names the field.
#include <doctest/doctest.h>

#include <string>

#include "tables.h"

using namespace kinglet;
using namespace kinglet::test;

namespace {

// The message of opening `parts`, "" when that succeeds.
std::string message(const TableParts& parts, kinglet_status want = KINGLET_BAD_MODEL, uint32_t vocabulary = 100,
                    uint32_t types = 0) {
  flatbuffers::FlatBufferBuilder builder;
  parts.write(builder);
  Tokenizer tokenizer;
  Error error;
  const kinglet_status status = Tokenizer::open(*flatbuffers::GetRoot<fmt::Tokenizer>(builder.GetBufferPointer()),
                                                vocabulary, types, &tokenizer, error);
  CHECK(status == (error.message[0] == '\0' ? KINGLET_OK : want));
  return error.message;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

constexpr uint32_t kLeaf = 1 << 8, kValue = 1 << 9;

}  // namespace

TEST_CASE("the unbroken table opens") { CHECK(message({}) == ""); }

TEST_CASE("more tokens than the model") {
  CHECK(contains(message({}, KINGLET_BAD_MODEL, 3), "tokenizer.token_count is 4, but the model has 3"));
}

TEST_CASE("a pool that is cut, too long, or has a wrong index") {
  TableParts parts;
  parts.pool.pop_back();
  CHECK(contains(message(parts), "tokenizer.pool ends inside token 3"));
  parts = {};
  parts.pool.push_back(1);
  CHECK(contains(message(parts), "its 4 tokens take"));
  parts = {};
  parts.pool_index = {1};
  CHECK(contains(message(parts), "tokenizer.pool_index[0]"));
  parts.pool_index = {};
  CHECK(contains(message(parts), "tokenizer.pool_index has 0 entries"));
  parts = {};
  parts.pool.assign(8, 0xff);
  CHECK(contains(message(parts), "tokenizer.pool ends inside token 0"));
}

TEST_CASE("a trie that is too small") {
  TableParts parts;
  parts.trie.resize(255);
  CHECK(contains(message(parts), "tokenizer.model.trie: a trie has at least 256 units"));
}

TEST_CASE("a trie that leads out of its array") {
  TableParts parts;
  parts.trie[0] = static_cast<uint32_t>(parts.trie.size()) << 10;
  CHECK(contains(message(parts), "tokenizer.model.trie: the children of unit 0"));
  parts = {};
  parts.trie[17] = 0xffffffffu & ~kLeaf;
  CHECK(contains(message(parts), "tokenizer.model.trie: the children of unit 17"));
}

TEST_CASE("a trie with a value that is no token") {
  TableParts parts;
  parts.trie[3] = 4u << 10 | kLeaf;
  CHECK(contains(message(parts), "tokenizer.model.trie: unit 3 has the value 4"));
}

TEST_CASE("a trie with a node whose value is missing") {
  TableParts parts;
  parts.trie[3] = kValue;
  CHECK(contains(message(parts), "tokenizer.model.trie: unit 3 says that it has a value"));
}

TEST_CASE("an unknown token out of range") {
  TableParts parts;
  parts.unknown = 4;
  CHECK(contains(message(parts), "tokenizer.model.unknown is 4"));
}

TEST_CASE("a model of an unknown kind") {
  TableParts parts;
  parts.has_model = false;
  CHECK(contains(message(parts, KINGLET_UNSUPPORTED), "tokenizer.model is of kind 7"));
}

TEST_CASE("a character map with too many blocks, or parts of one") {
  TableParts parts;
  parts.blocks.resize(8705);
  CHECK(contains(message(parts), "tokenizer.map: 8705 blocks"));
  parts = {};
  parts.entries.pop_back();
  CHECK(contains(message(parts), "a multiple of 128"));
  parts = {};
  parts.blocks[5] = static_cast<uint16_t>(parts.entries.size() / 128);
  CHECK(contains(message(parts), "tokenizer.map.blocks[5]"));
}

TEST_CASE("a character map with an entry of an unknown kind") {
  TableParts parts;
  parts.entries[7] = 6;
  CHECK(contains(message(parts), "tokenizer.map.entries[7] = 6 is of an unknown kind"));
  parts = {};
  parts.rest = 15;
  CHECK(contains(message(parts), "tokenizer.map.rest = 15"));
}

TEST_CASE("a character map whose expansions are broken") {
  const auto broken = [](std::vector<uint8_t> expansion) {
    TableParts parts;
    parts.entries.assign(128, 16);
    parts.blocks.assign(1, 0);
    parts.rest = 0;
    parts.expansions = std::move(expansion);
    return message(parts);
  };
  CHECK(broken({0x81, 'a'}) == "");
  CHECK(contains(broken({}), "points beyond the expansions"));
  CHECK(contains(broken({0x81}), "not a UTF-8 character"));
  CHECK(contains(broken({0x01, 'a'}), "runs past the end"));
  CHECK(contains(broken({0x85, 'a', 'b', 'c', 'd', 'e'}), "unknown header"));
  CHECK(contains(broken({0x99, 'a'}), "unknown header"));
  CHECK(contains(broken({0xa1, 0, 'a'}), "without a combining class"));
  CHECK(contains(broken({0xa1}), "without a combining class"));
  CHECK(contains(broken({0x82, 'a', 'b'}), "not a UTF-8 character"));
  CHECK(contains(broken({0x82, 0xc3, 'b'}), "not a UTF-8 character"));
  CHECK(contains(broken({0x01, 'a', 0xa1, 1, 'a'}), "a mark that begins a second character"));
  CHECK(contains(broken(std::vector<uint8_t>(100, 0)), "too many elements"));
}

TEST_CASE("added tokens with a wrong id, an unknown flag, an index out of range, or no text") {
  TableParts parts;
  parts.raw_tokens = {fmt::AddedToken(4, 0)};
  CHECK(contains(message(parts), "tokenizer.raw_tokens.tokens[0] has the id 4"));
  parts.raw_tokens = {fmt::AddedToken(3, 8)};
  CHECK(contains(message(parts, KINGLET_UNSUPPORTED), "tokenizer.raw_tokens.tokens[0] has unknown flags 8"));
  parts.raw_tokens = {};
  CHECK(contains(message(parts), "tokenizer.raw_tokens: unit"));
  parts = {};
  parts.normalized_tokens = {fmt::AddedToken(0, 0)};
  parts.normalized_trie.assign(256, 0);
  parts.normalized_trie[0] = kLeaf;
  CHECK(contains(message(parts), "tokenizer.normalized_tokens: an added token must not be empty"));
}

TEST_CASE("code point ranges that overlap or lack their end") {
  TableParts parts;
  parts.spaces = {5, 4};
  CHECK(contains(message(parts), "tokenizer.spaces[1] = 4 is out of order"));
  parts.spaces = {5, 6, 6, 7};
  CHECK(contains(message(parts), "tokenizer.spaces[2] = 6 is out of order"));
  parts.spaces = {5, 6, 8};
  CHECK(contains(message(parts), "tokenizer.spaces: 3 numbers"));
  parts.spaces = {};
  parts.word_chars = {9, 1};
  CHECK(contains(message(parts), "tokenizer.word_chars[1]"));
}

TEST_CASE("a template with an unknown token, a second text that is not there, or an unknown type") {
  TableParts parts;
  parts.single = {fmt::TemplatePiece(4, 0)};
  CHECK(contains(message(parts), "tokenizer.single[0].token is 4"));
  parts.single = {fmt::TemplatePiece(-2, 0)};
  CHECK(contains(message(parts), "tokenizer.single[0].token is -2"));
  parts = {};
  parts.pair = {fmt::TemplatePiece(-3, 0)};
  CHECK(contains(message(parts), "tokenizer.pair[0].token is -3"));
  parts = {};
  parts.single = {fmt::TemplatePiece(-1, 2)};
  CHECK(contains(message(parts, KINGLET_BAD_MODEL, 100, 2), "tokenizer.single[0].type is 2, expected less than 2"));
  CHECK(message(parts, KINGLET_BAD_MODEL, 100, 3) == "");
  parts.single.assign(1025, fmt::TemplatePiece(0, 0));
  CHECK(contains(message(parts), "tokenizer.single has 1025 pieces"));
}
