// sentence-transformers folders: what is read, and what is refused by name.
#include <doctest/doctest.h>

#include <optional>

#include "error.h"
#include "families/sentence_transformers.h"
#include "fixtures.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

using convert::read_sentence_modules;
using convert::SentenceModules;

Json modules_json(const std::vector<std::pair<std::string, std::string>>& modules) {
  Json list = Json::array();
  for (const auto& [type, path] : modules) {
    list.push_back({{"idx", list.size()}, {"name", "m"}, {"path", path}, {"type", type}});
  }
  return list;
}

struct Folder {
  TemporaryFolder folder;
  Folder() {
    modules({{"sentence_transformers.models.Transformer", ""},
             {"sentence_transformers.models.Pooling", "1_Pooling"},
             {"sentence_transformers.models.Normalize", "2_Normalize"}});
    pooling({{"word_embedding_dimension", 32}, {"pooling_mode_mean_tokens", true}});
  }
  void modules(const std::vector<std::pair<std::string, std::string>>& list) const {
    write_file(folder / "modules.json", modules_json(list).dump());
  }
  void pooling(const Json& config) const { write_file(folder / "1_Pooling/config.json", config.dump()); }
  SentenceModules read() const { return *read_sentence_modules(folder.path()); }
  void refuses(const std::string& part) const {
    std::string message;
    try {
      read();
    } catch (const convert::Error& error) {
      message = error.what();
    }
    INFO("message: ", message);
    CHECK(message.find(part) != std::string::npos);
  }
};

TEST_CASE("a folder without modules.json is not one of sentence-transformers") {
  const TemporaryFolder folder;
  CHECK(!read_sentence_modules(folder.path()));
}

TEST_CASE("modules are known by the last part of their type") {
  const Folder folder;
  CHECK(folder.read().embedding.normalize);
  folder.modules({{"sentence_transformers.base.modules.transformer.Transformer", "0_Transformer"},
                  {"my.package.Pooling", "1_Pooling"}});
  const SentenceModules modules = folder.read();
  CHECK(!modules.embedding.normalize);
  CHECK(modules.transformer.filename() == "0_Transformer");
  CHECK(modules.width == 32u);
}

TEST_CASE("every pooling that is implemented is read") {
  const std::pair<const char*, fmt::PoolKind> kinds[] = {
      {"pooling_mode_cls_token", fmt::PoolKind::first},
      {"pooling_mode_mean_tokens", fmt::PoolKind::mean},
      {"pooling_mode_max_tokens", fmt::PoolKind::max},
      {"pooling_mode_mean_sqrt_len_tokens", fmt::PoolKind::mean_sqrt_length}};
  const Folder folder;
  for (const auto& [chosen, kind] : kinds) {
    Json config;
    for (const auto& [flag, ignored] : kinds) {
      config[flag] = std::string(flag) == chosen;
    }
    folder.pooling(config);
    CHECK(folder.read().embedding.pooling == kind);
  }
  folder.pooling({{"pooling_mode", "cls"}});
  CHECK(folder.read().embedding.pooling == fmt::PoolKind::first);
}

TEST_CASE("poolings that are not implemented are refused by name") {
  const Folder folder;
  folder.pooling({{"pooling_mode_cls_token", true}, {"pooling_mode_mean_tokens", true}});
  folder.refuses("pooling_mode_cls_token and pooling_mode_mean_tokens put side by side");
  folder.pooling({{"pooling_mode_cls_token", true}});  // mean is on where nothing is said
  folder.refuses("put side by side");
  folder.pooling({{"pooling_mode_mean_tokens", false}});
  folder.refuses("no pooling");
  folder.pooling({{"pooling_mode_mean_tokens", false}, {"pooling_mode_lasttoken", true}});
  folder.refuses("pooling_mode_lasttoken");
  folder.pooling({{"pooling_mode_mean_tokens", true}, {"include_prompt", false}});
  folder.refuses("include_prompt");
}

TEST_CASE("other modules, and modules in another order, are refused by name") {
  const Folder folder;
  folder.modules({{"sentence_transformers.models.Transformer", ""},
                  {"sentence_transformers.models.Pooling", "1_Pooling"},
                  {"sentence_transformers.models.LSTM", "2_LSTM"}});
  folder.refuses("the module \"sentence_transformers.models.LSTM\" is not supported");
  folder.modules({{"x.Transformer", ""}, {"x.Pooling", "1_Pooling"}, {"x.Normalize", ""}, {"x.Dense", "3_Dense"}});
  folder.refuses("\"x.Dense\" follows Normalize");
  folder.modules({{"x.Pooling", "1_Pooling"}, {"x.Transformer", ""}});
  folder.refuses("\"x.Pooling\" follows nothing");
  folder.modules({{"x.Transformer", ""}});
  folder.refuses("has no Pooling");
  folder.modules({{"x.Transformer", "../../elsewhere"}, {"x.Pooling", "1_Pooling"}});
  folder.refuses("\"path\"");
  folder.modules({{"x.Transformer", "/etc"}, {"x.Pooling", "1_Pooling"}});
  folder.refuses("\"path\"");
}

TEST_CASE("Dense modules are read in their order") {
  const Folder folder;
  folder.modules({{"x.Transformer", ""}, {"x.Pooling", "1_Pooling"}, {"x.Dense", "2_Dense"}, {"x.Dense", "3_Dense"}});
  const SentenceModules modules = folder.read();
  REQUIRE(modules.dense.size() == 2);
  CHECK(modules.dense[0].filename() == "2_Dense");
  CHECK(modules.dense[1].filename() == "3_Dense");
  CHECK(!modules.embedding.normalize);
}

TEST_CASE("max_seq_length is read; lower-casing outside the tokenizer is refused") {
  const Folder folder;
  write_file(folder.folder / "sentence_bert_config.json", R"({"max_seq_length": 77, "do_lower_case": false})");
  CHECK(folder.read().max_length == 77u);
  write_file(folder.folder / "sentence_bert_config.json", R"({"max_seq_length": null})");
  CHECK(!folder.read().max_length);
  write_file(folder.folder / "sentence_bert_config.json", R"({"do_lower_case": true})");
  folder.refuses("do_lower_case");
  write_file(folder.folder / "sentence_bert_config.json", R"({"tokenizer_args": {"padding_side": "left"}})");
  folder.refuses("padding_side");
}

TEST_CASE("prompts keep their order, and the default one is found") {
  const Folder folder;
  const auto config = folder.folder / "config_sentence_transformers.json";
  write_file(config, R"({"prompts": {"query": "query: ", "passage": "passage: "}, "default_prompt_name": "passage"})");
  const SentenceModules modules = folder.read();
  REQUIRE(modules.prompts.size() == 2);
  CHECK(modules.prompts[0].name == "query");
  CHECK(modules.prompts[1].text == "passage: ");
  CHECK(modules.default_prompt == 1);
  write_file(config, R"({"prompts": {"query": "query: "}, "default_prompt_name": "passage"})");
  folder.refuses("default_prompt_name");
  write_file(config, R"({"prompts": {"query": 3}})");
  folder.refuses("\"query\"");
  write_file(config, R"({"model_type": "SparseEncoder"})");
  folder.refuses("model_type");
}

TEST_CASE("a folder with 0_Transformer is converted as a whole") {
  const Folder folder;
  folder.modules({{"x.Transformer", "0_Transformer"}, {"x.Pooling", "1_Pooling"}, {"x.Normalize", "2_Normalize"}});
  const BertShape shape;
  // The head of a masked-LM checkpoint is left out, as sentence-transformers does.
  write_bert(folder.folder / "0_Transformer", shape, random_bert(shape, 3), "BertForMaskedLM");
  CHECK(convert_error(folder.folder.path()).find("its vocabulary is missing") != std::string::npos);
  write_file(folder.folder / "0_Transformer/vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nb\n");
  CHECK(convert_error(folder.folder.path()) == "");
  folder.pooling({{"word_embedding_dimension", 64}, {"pooling_mode_mean_tokens", true}});
  const std::string message = convert_error(folder.folder.path());
  INFO("message: ", message);
  CHECK(message.find("vectors of 64 numbers, the model has 32") != std::string::npos);
}

}  // namespace
}  // namespace kinglet::test
