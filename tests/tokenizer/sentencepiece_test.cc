// BPE of characters, as SentencePiece trains it; its model files whole and damaged; tokenizer files made to take long.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "error.h"
#include "subwords.h"
#include "support/paths.h"
#include "support/temporary.h"
#include "tokenizers/convert_slow.h"

using namespace kinglet;
using namespace kinglet::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

using Ids = std::vector<int32_t>;

const std::string kMark = "\xe2\x96\x81";

// A tokenizer.json of BPE: <unk> and these tokens, as Llama's conversion has it, or with another pre-tokenizer.
json bpe(const std::vector<std::string>& tokens, const json& merges) {
  json vocabulary{{"<unk>", 0}};
  for (const std::string& token : tokens) {
    vocabulary[token] = vocabulary.size();
  }
  return {{"version", "1.0"},
          {"added_tokens", json::array()},
          {"normalizer",
           {{"type", "Sequence"},
            {"normalizers",
             {{{"type", "Prepend"}, {"prepend", kMark}},
              {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kMark}}}}}},
          {"pre_tokenizer", nullptr},
          {"post_processor", nullptr},
          {"model",
           {{"type", "BPE"}, {"unk_token", "<unk>"}, {"fuse_unk", true}, {"vocab", vocabulary}, {"merges", merges}}}};
}

json pairs(const Merges& merges) {
  json list = json::array();
  for (const auto& [left, right] : merges) {
    list.push_back(json::array({left, right}));
  }
  return list;
}

json small() {
  return bpe({kMark, "a", "b", "ab", kMark + "a"}, pairs({{"a", "b"}, {kMark, "a"}}));
}

void write(const TemporaryFolder& folder, const char* name, const std::string& text) {
  std::ofstream(folder / name, std::ios::binary) << text;
}

Compiled compile(const json& tokenizer) {
  const TemporaryFolder folder;
  write(folder, "tokenizer.json", tokenizer.dump());
  write(folder, "tokenizer_config.json", R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
  return Compiled(folder.path());
}

// What compiling throws, "" if nothing.
std::string error(const std::string& tokenizer, const std::string& config = "{}") {
  const TemporaryFolder folder;
  write(folder, "tokenizer.json", tokenizer);
  write(folder, "tokenizer_config.json", config);
  try {
    convert::compile_tokenizer(folder.path());
    return "";
  } catch (const convert::Error& error) {
    return error.what();
  }
}

std::string broken(const std::string& pointer, const json& value) {
  json tokenizer = small();
  tokenizer[json::json_pointer(pointer)] = value;
  return error(tokenizer.dump(), R"({"tokenizer_class": "PreTrainedTokenizerFast"})");
}

#define CHECK_ERROR(expression, part)                                  \
  do {                                                                 \
    const std::string message_ = (expression);                         \
    CHECK_MESSAGE(message_.find(part) != std::string::npos, message_); \
  } while (false)

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  REQUIRE(stream.good());
  return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("SentencePiece's BPE: prefix, spaces, unknown characters") {
  const Compiled compiled = compile(small());
  CHECK(compiled.encode("ab").ids == Ids{1, 4});  // the merge of a and b comes first
  CHECK(compiled.encode("a b").ids == Ids{5, 1, 3});
  CHECK(compiled.encode(" a").ids == Ids{1, 5});  // a marker before the one of the space
  const Tokens unknown = compiled.encode(
      "x\xc3\xa9"
      "a");
  CHECK(unknown.ids == Ids{1, 0, 2});
  CHECK(unknown.offsets[0].end == 1);
  CHECK(unknown.offsets[1].end == 3);
  json apart = small();
  apart["model"]["fuse_unk"] = false;
  CHECK(compile(apart)
            .encode("x\xc3\xa9"
                    "a")
            .ids == Ids{1, 0, 0, 2});
}

TEST_CASE("SentencePiece's BPE: characters that are no tokens become their bytes") {
  json tokenizer = small();
  tokenizer["model"]["byte_fallback"] = true;
  for (int byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<unsigned>(byte));
    tokenizer["model"]["vocab"][name] = 6 + byte;
  }
  const Tokens tokens = compile(tokenizer).encode(
      "\xc3\xa9"
      "a");
  CHECK(tokens.ids == Ids{1, 6 + 0xc3, 6 + 0xa9, 2});
  CHECK(tokens.offsets[2].begin == 0);
  CHECK(tokens.offsets[2].end == 2);
  tokenizer["model"]["vocab"].erase("<0xC3>");
  CHECK_ERROR(error(tokenizer.dump(), R"({"tokenizer_class": "PreTrainedTokenizerFast"})"),
              "lacks the token of byte 195");
}

TEST_CASE("SentencePiece's BPE: a megabyte without spaces, with spaces, and unknown") {
  const Compiled compiled = compile(small());
  std::string text;
  for (int i = 0; i < 1 << 19; ++i) {
    text += "ab";
  }
  CHECK(compiled.encode(text).ids == [] {
    Ids ids(1 + (1 << 19), 4);
    ids[0] = 1;
    return ids;
  }());
  CHECK(compiled.encode(std::string(1 << 20, 'x')).ids == Ids{1, 0});
  CHECK(compiled.encode(std::string(1 << 20, ' ')).ids.size() == (1 << 20) + 1);
}

TEST_CASE("SentencePiece's BPE: words are cut at markers only where no token goes across") {
  json tokenizer = bpe({kMark, "a", "a" + kMark, "a" + kMark + "a"}, pairs({{"a", kMark}, {"a" + kMark, "a"}}));
  CHECK(compile(tokenizer).encode("a a").ids == Ids{1, 4});
  tokenizer = bpe({kMark, "a", kMark + kMark}, pairs({{kMark, kMark}}));
  CHECK(compile(tokenizer).encode("a  a").ids == Ids{1, 2, 3, 2});
}

TEST_CASE("SentencePiece's BPE: what is refused, by name") {
  CHECK_ERROR(broken("/model/dropout", 0.1), "model.dropout: is not implemented");
  CHECK_ERROR(broken("/model/continuing_subword_prefix", "##"), "model.continuing_subword_prefix: is not implemented");
  CHECK_ERROR(broken("/model/end_of_word_suffix", "</w>"), "model.end_of_word_suffix: is not implemented");
  CHECK_ERROR(broken("/model/unk_token", nullptr), "BPE without an unknown token is not implemented");
  CHECK_ERROR(broken("/model/unk_token", "none"), "lacks its unk_token \"none\"");
  CHECK_ERROR(broken("/model/merges/0", "a x"), "the vocabulary lacks \"x\"");
  CHECK_ERROR(broken("/pre_tokenizer", json{{"type", "Whitespace"}}),
              "the pre-tokenizer Whitespace is not implemented");
  CHECK_ERROR(broken("/normalizer/normalizers/1", json{{"type", "NFC"}}), "Prepend is implemented with Replace");
  CHECK_ERROR(broken("/normalizer/normalizers/1/pattern/String", kMark), "Prepend is implemented with Replace");
  const std::string longest(513, 'a');
  json tokenizer = bpe({"a", longest.substr(1), longest}, pairs({{"a", longest.substr(1)}}));
  CHECK_ERROR(error(tokenizer.dump(), R"({"tokenizer_class": "PreTrainedTokenizerFast"})"),
              "a token has 513 characters");
}

TEST_CASE("a tokenizer.json with 100,000 nested Sequences is refused") {
  std::string open = "{\"version\":\"1.0\",\"model\":{},\"normalizer\":";
  for (int i = 0; i < 100000; ++i) {
    open += "{\"type\":\"Sequence\",\"normalizers\":[";
  }
  CHECK_ERROR(error(open), "nested more than 64 deep");
}

TEST_CASE("tokens and files of a gigabyte are refused before they are read") {
  const TemporaryFolder folder;
  write(folder, "tokenizer.json", "{}");
  fs::resize_file(folder / "tokenizer.json", uint64_t{1} << 30);  // takes no room
  CHECK_THROWS_WITH_AS(convert::compile_tokenizer(folder.path()),
                       doctest::Contains("expected a tokenizer file of at most 256 MiB"), convert::Error);
  // A token as long as the trie can be: no recursion, and refused once it is full.
  json tokenizer = small();
  tokenizer["model"]["vocab"][std::string(5000000, 'a')] = 6;
  tokenizer["model"]["ignore_merges"] = true;
  CHECK_ERROR(error(tokenizer.dump(), R"({"tokenizer_class": "PreTrainedTokenizerFast"})"), "too large");
}

TEST_CASE("more merges than there may be are refused") {
  std::string list = "[";
  for (int i = 0; i <= 1 << 22; ++i) {
    list += i == 0 ? "0" : ",0";
  }
  std::string text = small().dump();
  const size_t at = text.find("\"merges\":[");
  text.insert(at + 9, list + "],\"rest\":");
  CHECK_ERROR(error(text, R"({"tokenizer_class": "PreTrainedTokenizerFast"})"), "merges: there are more than 4194304");
}

TEST_CASE("30,000 special tokens take no quadratic time") {
  json config{{"tokenizer_class", "PreTrainedTokenizerFast"}};
  json& tokens = config["additional_special_tokens"];
  json& decoder = config["added_tokens_decoder"];
  for (int i = 0; i < 30000; ++i) {
    const std::string content = "<" + std::to_string(i) + ">";
    tokens.push_back({{"content", content}, {"lstrip", true}});
    decoder[std::to_string(6 + i)] = {{"content", content}, {"lstrip", false}};
  }
  CHECK(error(small().dump(), config.dump()) == "");
}

TEST_CASE("a SentencePiece file all of whose parts are pieces is refused before its merges fill the memory") {
  convert::SentencePieceModel model;
  model.model_type = 2;
  for (size_t length = 1; length < 1200; ++length) {
    model.pieces.push_back({std::string(length, 'a'), static_cast<float>(length), 1});
  }
  convert::SlowSettings settings;
  settings.class_name = "AlbertTokenizer";
  CHECK_THROWS_WITH_AS(convert::convert_sentencepiece("f", model, settings),
                       doctest::Contains("too many and too long pieces"), convert::Error);
}

TEST_CASE("a damaged SentencePiece file is refused or read, wherever it is cut or changed") {
  const std::string whole = read(data_folder() / "tokens/bpe-xlmr/sentencepiece.bpe.model");
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  size_t refused = 0;
  const auto convert = [&](const std::string& bytes) {
    try {
      convert::SlowSettings settings;
      settings.class_name = "XLMRobertaTokenizer";
      convert::convert_sentencepiece("f", convert::read_sentencepiece("f", bytes), settings);
    } catch (const convert::Error&) {
      ++refused;
    }
  };
  convert(whole);
  CHECK(refused == 0);
  for (int i = 0; i < 30; ++i) {
    convert(whole.substr(0, random() % whole.size()));
    std::string changed = whole;
    for (int k = 0; k < 3; ++k) {
      changed[random() % changed.size()] = static_cast<char>(random());
    }
    convert(changed);
  }
  CHECK(refused > 10);
}
