// Tokenizer folders: what overrides what, and one test per way in which the files can be broken.
#include <doctest/doctest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "compiled.h"
#include "error.h"
#include "support/temporary.h"

using namespace kinglet;
using namespace kinglet::test;
using nlohmann::json;

namespace {

json small_tokenizer() {
  return json::parse(R"({
    "version": "1.0", "truncation": {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": {"strategy": {"Fixed": 128}},
    "added_tokens": [
      {"id": 0, "content": "[UNK]", "special": true, "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false},
      {"id": 4, "content": "[MASK]", "special": true, "single_word": false, "lstrip": false, "rstrip": false,
       "normalized": false}],
    "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                   "strip_accents": null, "lowercase": true},
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
    "decoder": null,
    "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
              "max_input_chars_per_word": 100,
              "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "[PAD]": 3, "[MASK]": 4, "a": 5, "A": 6, "á": 7}}
  })");
}

class Folder {
 public:
  Folder& file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return *this;
  }
  Folder& file(const std::string& name, const char* text) { return file(name, std::string(text)); }
  Folder& file(const std::string& name, const json& content) { return file(name, content.dump()); }

  std::vector<int32_t> ids(const std::string& text) const { return Compiled(folder_.path()).encode(text).ids; }
  // What compiling throws, "" if nothing.
  std::string error() const {
    try {
      convert::compile_tokenizer(folder_.path());
      return "";
    } catch (const convert::Error& error) {
      return error.what();
    }
  }
  std::unique_ptr<convert::CompiledTokenizer> compile() const { return convert::compile_tokenizer(folder_.path()); }
  const TemporaryFolder& path() const { return folder_; }

 private:
  TemporaryFolder folder_;
};

// The message when one place of tokenizer.json is replaced.
std::string broken(const std::string& pointer, const json& value) {
  json tokenizer = small_tokenizer();
  tokenizer[json::json_pointer(pointer)] = value;
  return Folder().file("tokenizer.json", tokenizer).error();
}

std::string without(const std::string& parent, const std::string& key) {
  json tokenizer = small_tokenizer();
  tokenizer[json::json_pointer(parent)].erase(key);
  return Folder().file("tokenizer.json", tokenizer).error();
}

#define CHECK_ERROR(expression, part)                                  \
  do {                                                                 \
    const std::string message_ = (expression);                         \
    CHECK_MESSAGE(message_.find(part) != std::string::npos, message_); \
    CHECK_MESSAGE(message_.find('\n') == std::string::npos, message_); \
  } while (false)

using Ids = std::vector<int32_t>;

}  // namespace

TEST_CASE("a folder without tokenizer files") {
  CHECK(Folder().compile() == nullptr);
  CHECK(Folder().file("config.json", json::object()).compile() == nullptr);
}

TEST_CASE("tokenizer.json alone; truncation and padding in it are ignored") {
  CHECK(Folder().file("tokenizer.json", small_tokenizer()).ids("a A [MASK] a a") == Ids{1, 5, 5, 4, 5, 5});
}

TEST_CASE("a model without its type is known by its fields") {
  json tokenizer = small_tokenizer();
  tokenizer["model"].erase("type");
  CHECK(Folder().file("tokenizer.json", tokenizer).ids("a") == Ids{1, 5});
}

TEST_CASE("the settings of tokenizer_config.json win, and so do the defaults of its class") {
  json tokenizer = small_tokenizer();
  tokenizer["normalizer"]["lowercase"] = false;
  const auto ids = [&](const json& config) {
    return Folder().file("tokenizer.json", tokenizer).file("tokenizer_config.json", config).ids("A");
  };
  CHECK(ids({{"tokenizer_class", "BertTokenizer"}, {"do_lower_case", false}}) == Ids{1, 6});
  CHECK(ids({{"tokenizer_class", "BertTokenizer"}}) == Ids{1, 5});
  CHECK(ids({{"tokenizer_class", "PreTrainedTokenizerFast"}}) == Ids{1, 6});
  tokenizer["normalizer"]["lowercase"] = true;
  CHECK(Folder()
            .file("tokenizer.json", tokenizer)
            .file("tokenizer_config.json", json{{"tokenizer_class", "BertTokenizer"}, {"strip_accents", false}})
            .ids("\xc3\xa1") == Ids{1, 7});
}

TEST_CASE("BertProcessing, and no post-processor") {
  json tokenizer = small_tokenizer();
  tokenizer["post_processor"] = {{"type", "BertProcessing"}, {"sep", {"[SEP]", 2}}, {"cls", {"[CLS]", 1}}};
  CHECK(Folder().file("tokenizer.json", tokenizer).ids("a") == Ids{1, 5, 2});
  tokenizer["post_processor"] = nullptr;
  CHECK(Folder().file("tokenizer.json", tokenizer).ids("a") == Ids{5});
}

TEST_CASE("added_tokens_decoder adds tokens") {
  const json token{{"content", "<e>"}, {"lstrip", true},      {"rstrip", false},
                   {"special", false}, {"normalized", false}, {"single_word", false}};
  Folder folder;
  folder.file("tokenizer.json", small_tokenizer())
      .file("tokenizer_config.json",
            json{{"tokenizer_class", "BertTokenizer"}, {"added_tokens_decoder", {{"8", token}}}});
  CHECK(folder.ids("a <e>a") == Ids{1, 5, 8, 5});
  CHECK(folder.compile()->size() == 9);
}

TEST_CASE("vocab.txt: line ends, blank lines, duplicates") {
  const std::string head = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  CHECK(Folder().file("vocab.txt", head + "a\nb").ids("a b") == Ids{2, 5, 6, 3});
  CHECK(Folder().file("vocab.txt", head + "a\nb\n").ids("a b") == Ids{2, 5, 6, 3});
  CHECK(Folder().file("vocab.txt", head + "a\n\nb\n").ids("a b") == Ids{2, 5, 7, 3});
  CHECK(Folder().file("vocab.txt", head + "a\r\nb\r\n").ids("a b") == Ids{2, 5, 6, 3});
  CHECK(Folder().file("vocab.txt", head + "a\rb").ids("a b") == Ids{2, 5, 6, 3});
  CHECK(Folder().file("vocab.txt", head + "a\nb\na\n").ids("a b") == Ids{2, 7, 6, 3});
  CHECK(Folder().file("vocab.txt", head + "a \nb").ids("a b") == Ids{2, 1, 6, 3});
}

TEST_CASE("vocab.txt: added_tokens.json and special_tokens_map.json") {
  Folder folder;
  folder.file("vocab.txt", "[PAD]\n[UNK]\n<s>\n[SEP]\n[MASK]\na\n")
      .file("added_tokens.json", json{{"<e>", 6}})
      .file("special_tokens_map.json", json{{"cls_token", "<s>"}, {"additional_special_tokens", {"<e>", "<f>"}}});
  CHECK(folder.ids("a<e><f>[MASK]") == Ids{2, 5, 6, 7, 4, 3});
}

TEST_CASE("special tokens that the vocabulary lacks get ids of their own") {
  CHECK(Folder().file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n").ids("[MASK]") == Ids{2, 5, 3});
}

TEST_CASE("model_max_length") {
  const auto length = [](const json& value) {
    return Folder()
        .file("vocab.txt", std::string("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"))
        .file("tokenizer_config.json", json{{"model_max_length", value}})
        .compile()
        ->model_max_length();
  };
  CHECK(length(512) == 512);
  CHECK(length(1e30) == 0);
  CHECK(length(nullptr) == 0);
}

TEST_CASE("files that are not what they should be") {
  CHECK_ERROR(Folder().file("tokenizer.json", std::string("{\"model\": ")).error(),
              "tokenizer.json: is not valid JSON");
  CHECK_ERROR(Folder().file("tokenizer.json", std::string("[]")).error(), "expected a JSON object, got array");
  CHECK_ERROR(Folder().file("tokenizer.json", std::string("")).error(), "is not valid JSON");
  CHECK_ERROR(Folder().file("tokenizer.json", std::string("{\"a\":\"\xff\"}")).error(), "is not valid JSON");
  CHECK_ERROR(Folder().file("tokenizer.json", std::string(1000, '[')).error(), "nested more than 64 deep");
  CHECK_ERROR(Folder().file("vocab.txt", std::string("a\nb\xff\n")).error(), "vocab.txt: byte 3: is not valid UTF-8");
  CHECK_ERROR(Folder().file("vocab.txt", std::string()).error(), "vocab.txt: is empty");
  CHECK_ERROR(Folder().file("vocab.txt", std::string("a\n")).error(), "lacks its unk_token \"[UNK]\"");
  CHECK_ERROR(Folder().file("merges.txt", std::string("a b\n")).error(), "this is a BPE tokenizer");
  CHECK_ERROR(Folder().file("spiece.model", std::string("x")).error(), "this is a SentencePiece tokenizer");
  Folder folder;
  std::filesystem::create_directory(folder.path() / "vocab.txt");
  CHECK_ERROR(folder.error(), "vocab.txt: is a directory");
}

TEST_CASE("tokenizers of other kinds are refused by name") {
  CHECK_ERROR(broken("/model/type", "WordLevel"), "model: the model WordLevel is not implemented");
  CHECK_ERROR(broken("/model/type", "BPE"), "model.continuing_subword_prefix: is not implemented");
  CHECK_ERROR(broken("/model", json{{"vocab", json::array()}}), "the normalizer BertNormalizer is not implemented");
  CHECK_ERROR(broken("/normalizer/type", "NFC"), "normalizer: the type is \"NFC\"");
  CHECK_ERROR(broken("/pre_tokenizer/type", "Whitespace"), "pre_tokenizer: the type is \"Whitespace\"");
  CHECK_ERROR(broken("/pre_tokenizer", nullptr), "pre_tokenizer: the type is \"null\"");
  CHECK_ERROR(broken("/post_processor/type", "Other"), "post_processor: the post-processor Other is not implemented");
  CHECK_ERROR(broken("/version", "2.0"), "version: expected \"1.0\"");
  CHECK_ERROR(broken("/truncation/direction", "Left"), "truncation on the left is not implemented");
}

TEST_CASE("fields of tokenizer.json that are missing or of a wrong kind") {
  CHECK_ERROR(without("", "model"), "there is no field \"model\"");
  CHECK_ERROR(without("/model", "vocab"), "model: there is no field \"vocab\"");
  CHECK_ERROR(without("/model", "unk_token"), "model: there is no field \"unk_token\"");
  CHECK_ERROR(without("/model", "max_input_chars_per_word"), "there is no field \"max_input_chars_per_word\"");
  CHECK_ERROR(without("/normalizer", "lowercase"), "normalizer: there is no field \"lowercase\"");
  CHECK_ERROR(broken("/model/vocab", 5), "model.vocab: expected an object, got number");
  CHECK_ERROR(broken("/model/vocab/a", -1), "\"a\": expected a whole number");
  CHECK_ERROR(broken("/model/vocab/a", "x"), "\"a\": expected a whole number");
  CHECK_ERROR(broken("/model/vocab/a", 2000000000), "too many are missing");
  CHECK_ERROR(broken("/model/unk_token", "none"), "lacks its unk_token \"none\"");
  CHECK_ERROR(broken("/model/unk_token", "no\nne"), "lacks its unk_token \"no\\x0ane\"");
  CHECK_ERROR(broken("/model/max_input_chars_per_word", 1.5), "max_input_chars_per_word: expected a whole number");
  CHECK_ERROR(broken("/normalizer/strip_accents", 1), "normalizer.strip_accents: expected true or false");
  CHECK_ERROR(broken("/added_tokens/0", 1), "added_tokens[0]: expected an object");
  CHECK_ERROR(broken("/added_tokens", json{{"a", 1}}), "added_tokens: expected an array");
  CHECK_ERROR(broken("/post_processor/single/0/SpecialToken/id", "none"), "there is no field \"none\"");
  CHECK_ERROR(broken("/post_processor/single/1/Sequence/id", "B"), "expected \"A\", got \"B\"");
  CHECK_ERROR(broken("/post_processor/single/0", json::object()), "expected a Sequence or a SpecialToken");
  CHECK_ERROR(broken("/post_processor/special_tokens/[CLS]/ids/0", 99), "post_processor adds token 99");
}

TEST_CASE("an added token of which normalisation leaves nothing") {
  json tokenizer = small_tokenizer();
  tokenizer["added_tokens"].push_back({{"id", 9}, {"content", "\xcc\x81"}, {"normalized", true}, {"special", false}});
  CHECK_ERROR(Folder().file("tokenizer.json", tokenizer).error(), "nothing is left of it after normalisation");
}

TEST_CASE("settings of tokenizer_config.json that cannot be followed") {
  const auto error = [](const json& config) {
    return Folder().file("tokenizer.json", small_tokenizer()).file("tokenizer_config.json", config).error();
  };
  CHECK_ERROR(error({{"tokenizer_class", "XLMTokenizer"}}), "tokenizer_class: \"XLMTokenizer\" is not implemented");
  CHECK_ERROR(error({{"tokenizer_class", 3}}), "tokenizer_class: expected a string");
  CHECK_ERROR(error({{"truncation_side", "left"}}), "truncation_side: \"left\" is not implemented");
  CHECK_ERROR(error({{"split_special_tokens", true}}), "split_special_tokens: is not implemented");
  CHECK_ERROR(error({{"do_lower_case", "yes"}}), "do_lower_case: expected true or false");
  CHECK_ERROR(error({{"model_max_length", "long"}}), "model_max_length: expected a number");
  CHECK_ERROR(error({{"added_tokens_decoder", {{"x", json::object()}}}}), "expected ids as keys, got \"x\"");
  CHECK_ERROR(error({{"added_tokens_decoder", {{"1", json::object()}}}}), "there is no field \"content\"");
  CHECK_ERROR(error({{"additional_special_tokens", 1}}), "additional_special_tokens: expected an array");
  CHECK_ERROR(error({{"cls_token", 1}}), "cls_token: expected a string");
  CHECK_ERROR(error({{"fast_tokenizer_files", {"tokenizer.4.0.json"}}}), "fast_tokenizer_files");
  CHECK_ERROR(
      Folder().file("tokenizer.json", small_tokenizer()).file("config.json", json{{"model_type", "xlm"}}).error(),
      "\"xlm\" is not implemented");
}
