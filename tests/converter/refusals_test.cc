// Checkpoints with one thing wrong: each is refused, by name, and leaves nothing behind.
#include <doctest/doctest.h>

#include "error.h"
#include "fixtures.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

void contains(const std::string& text, const std::string& part) {
  INFO("message: ", text);
  CHECK(text.find(part) != std::string::npos);
}

// A good checkpoint in a folder of its own, to be broken.
struct Bert {
  TemporaryFolder folder;
  BertShape shape;
  Tensors tensors = random_bert(shape, 1);

  explicit Bert(const std::string& architecture = "BertModel") { write(architecture); }
  void write(const std::string& architecture = "BertModel") const {
    write_bert(folder.path(), shape, tensors, architecture);
  }
  void config(const std::function<void(Json&)>& edit) const { edit_json(folder / "config.json", edit); }
  std::string refusal() const { return convert_error(folder.path()); }
  std::string refusal_with(const std::function<void(convert::ConvertOptions&)>& edit) const {
    const TemporaryFolder out;
    convert::ConvertOptions options;
    options.source = folder.path();
    options.output = out / "out.kgl";
    edit(options);
    return convert_error(options);
  }
  // After setting one field of config.json.
  std::string refusal_of(const char* field, const Json& value) const {
    config([&](Json& json) { json[field] = value; });
    return refusal();
  }
};

TEST_CASE("the checkpoint that the other tests break is good") {
  CHECK(Bert().refusal() == "");
}

// ---- Files ----

TEST_CASE("a source that is not there is refused") {
  contains(convert_error("/no/such/checkpoint"), "/no/such/checkpoint: no such file or folder");
}

TEST_CASE("a source file that holds no weights is refused") {
  const Bert bert;
  contains(convert_error(bert.folder / "config.json"), "is not a checkpoint");
}

TEST_CASE("a weights file given as the source means its folder") {
  const Bert bert;
  CHECK(convert_error(bert.folder / "model.safetensors") == "");
}

TEST_CASE("a missing config is refused") {
  const Bert bert;
  fs::remove(bert.folder / "config.json");
  contains(bert.refusal(), "has no config.json");
}

TEST_CASE("a truncated config is refused with its place") {
  const Bert bert;
  const std::string config = read_file(bert.folder / "config.json");
  for (size_t size = 0; size < config.size(); size += 7) {
    write_file(bert.folder / "config.json", config.substr(0, size));
    CAPTURE(size);
    contains(bert.refusal(), "config.json");
  }
  write_file(bert.folder / "config.json", "{\n \"model_type\": bert}");
  contains(bert.refusal(), "config.json: not valid JSON at line 2, column");
}

TEST_CASE("a config that is a directory, or not an object, is refused") {
  const Bert bert;
  fs::remove(bert.folder / "config.json");
  fs::create_directory(bert.folder / "config.json");
  contains(bert.refusal(), "is a directory");
  fs::remove(bert.folder / "config.json");
  write_file(bert.folder / "config.json", "[1]");
  contains(bert.refusal(), "expected a JSON object, found [1]");
}

TEST_CASE("missing weights are refused") {
  const Bert bert;
  fs::remove(bert.folder / "model.safetensors");
  contains(bert.refusal(), "has no weights, expected model.safetensors or pytorch_model.bin");
}

TEST_CASE("weights that are a directory are refused") {
  const Bert bert;
  fs::remove(bert.folder / "model.safetensors");
  fs::create_directory(bert.folder / "model.safetensors");
  contains(bert.refusal(), "model.safetensors: is a directory");
}

TEST_CASE("weights truncated at any byte are refused") {
  const Bert bert;
  const std::string weights = read_file(bert.folder / "model.safetensors");
  for (const size_t size : {size_t{0}, size_t{7}, size_t{8}, size_t{100}, weights.size() / 2, weights.size() - 1}) {
    write_file(bert.folder / "model.safetensors", weights.substr(0, size));
    CAPTURE(size);
    contains(bert.refusal(), "model.safetensors");
  }
}

TEST_CASE("a vocabulary that is missing beside other tokenizer files is refused") {
  const Bert bert;
  write_file(bert.folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  contains(bert.refusal(), "has tokenizer_config.json, but its vocabulary is missing");
}

TEST_CASE("an empty vocabulary is refused, and a vocabulary larger than the model's") {
  const Bert bert;
  write_file(bert.folder / "vocab.txt", "");
  contains(bert.refusal(), "vocab.txt");
  std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";
  for (int i = 0; i < 100; ++i) {
    vocabulary += std::to_string(i) + "\n";
  }
  write_file(bert.folder / "vocab.txt", vocabulary);
  write_file(bert.folder / "tokenizer_config.json", R"({"tokenizer_class": "BertTokenizer"})");
  contains(bert.refusal(), "vocab_size in config.json is 40");
}

// ---- Tensors ----

TEST_CASE("every missing tensor is refused by name") {
  for (const auto& entry : random_bert(BertShape(), 1)) {
    const std::string& name = entry.first;
    Bert bert;
    bert.tensors.erase(name);
    bert.write();
    CAPTURE(name);
    if (name == "pooler.dense.weight") {
      CHECK(bert.refusal() == "");  // a BertModel may have none
    } else {
      contains(bert.refusal(), std::string("the tensor \"") + name + "\"");
    }
  }
}

TEST_CASE("a tensor of another shape is refused by name, with both shapes") {
  Bert bert;
  bert.tensors["encoder.layer.0.output.dense.weight"].shape = {48, 32};
  bert.write();
  contains(bert.refusal(), "\"encoder.layer.0.output.dense.weight\" has the shape [48, 32], expected [32, 48]");
}

TEST_CASE("a tensor of an integer type is refused by name") {
  const Bert bert;
  std::string weights = read_file(bert.folder / "model.safetensors");
  const size_t entry = weights.find("\"pooler.dense.bias\"");
  weights.replace(weights.find("F32", entry), 3, "I32");
  write_file(bert.folder / "model.safetensors", weights);
  contains(bert.refusal(), "\"pooler.dense.bias\" is of type \"I32\"");
}

TEST_CASE("a tensor under a wrong name is refused") {
  Bert bert;
  bert.tensors["encoder.layer.0.attention.self.distance_embedding.weight"] = {{47, 16}, std::vector<float>(47 * 16)};
  bert.write();
  contains(bert.refusal(), "distance_embedding.weight\" [47, 16] has no place in the model");
}

TEST_CASE("a layer more than config.json has is refused") {
  const Bert bert;
  contains(bert.refusal_of("num_hidden_layers", 0), "has no place in the model that config.json describes");
}

TEST_CASE("an infinity or a NaN is refused by the tensor's name, folded or not") {
  for (const char* name : {"embeddings.word_embeddings.weight", "encoder.layer.0.attention.self.value.bias",
                           "encoder.layer.0.attention.self.query.weight", "embeddings.LayerNorm.weight"}) {
    Bert bert;
    bert.tensors[name].values.back() = 1.0f / 0.0f;
    bert.write();
    CAPTURE(name);
    contains(bert.refusal(), std::string("the tensor \"") + name + "\" holds an infinity or a NaN");
  }
}

TEST_CASE("heads that a BertModel does not have, and wrappers' prefixes, are harmless") {
  Bert bert;
  bert.tensors["classifier.weight"] = {{3, 32}, std::vector<float>(96)};
  bert.tensors["cls.predictions.bias"] = {{40}, std::vector<float>(40)};
  bert.write();
  CHECK(bert.refusal() == "");
  for (const char* prefix : {"bert.", "module.", "module.bert.", "_orig_mod.bert.", "model."}) {
    Tensors renamed;
    for (const auto& [name, tensor] : random_bert(BertShape(), 1)) {
      renamed[prefix + name] = tensor;
    }
    bert.tensors = renamed;
    bert.write();
    CAPTURE(prefix);
    CHECK(bert.refusal() == "");
  }
}

TEST_CASE("the old names gamma and beta are read; both spellings at once are refused") {
  Bert bert;
  bert.tensors["embeddings.LayerNorm.gamma"] = bert.tensors["embeddings.LayerNorm.weight"];
  bert.write();
  contains(bert.refusal(), "both stand for \"embeddings.LayerNorm.weight\"");
  bert.tensors.erase("embeddings.LayerNorm.weight");
  bert.write();
  CHECK(bert.refusal() == "");
}

// ---- config.json ----

TEST_CASE("an unknown model_type says which are known") {
  const Bert bert;
  contains(bert.refusal_of("model_type", "gpt9"), "the model_type \"gpt9\" is not known; known: \"bert\"");
}

TEST_CASE("an unknown architecture says which are known") {
  const Bert bert;
  contains(bert.refusal_of("architectures", {"BertForMultipleChoice"}),
           "the architecture \"BertForMultipleChoice\" is not supported; known: BertModel, BertForMaskedLM");
}

TEST_CASE("fields that change the computation are refused by name") {
  const std::vector<std::pair<const char*, Json>> fields = {
      {"position_embedding_type", "relative_key"},
      {"is_decoder", true},
      {"add_cross_attention", true},
      {"hidden_act", "quick_gelu"},
      {"hidden_act", 3},
      {"quantization_config", {{"quant_method", "bitsandbytes"}}},
      {"auto_map", {{"AutoModel", "modeling.MyBert"}}},
      {"problem_type", "ranking"},
      {"layer_norm_eps", -1},
      {"layer_norm_eps", "small"},
      {"num_attention_heads", 3},
      {"num_attention_heads", 0},
      {"hidden_size", -32},
      {"hidden_size", 32.5},
      {"vocab_size", "40"},
      {"tie_word_embeddings", "yes"},
      {"pruned_heads", {{"0", {5}}}},
      {"pruned_heads", {{"0", {0, 1}}}},
      {"pruned_heads", {{"7", {0}}}},
      {"id2label", {{"0", "a"}, {"2", "b"}}},
      {"id2label", {{"zero", "a"}}},
  };
  for (const auto& entry : fields) {
    const auto& field = entry.first;
    const Json& value = entry.second;
    Bert bert;
    bert.tensors["classifier.weight"] = {{2, 32}, std::vector<float>(64)};
    bert.tensors["classifier.bias"] = {{2}, std::vector<float>(2)};
    bert.write("BertForSequenceClassification");
    REQUIRE(bert.refusal() == "");
    CAPTURE(value.dump());
    contains(bert.refusal_of(field, value), field);
  }
}

TEST_CASE("fields without a bearing on the numbers are ignored") {
  const Bert bert;
  bert.config([](Json& json) {
    json["chunk_size_feed_forward"] = 4;
    json["use_cache"] = true;
    json["gradient_checkpointing"] = true;
    json["pooler_fc_size"] = 768;
    json["torchscript"] = true;
    json["pruned_heads"] = Json::object();
    json["quantization_config"] = nullptr;
    json["auto_map"] = {{"AutoTokenizer", "x"}};
  });
  CHECK(bert.refusal() == "");
}

TEST_CASE("a number of labels that the classifier does not have is refused") {
  Bert bert;
  bert.tensors["classifier.weight"] = {{3, 32}, std::vector<float>(96)};
  bert.tensors["classifier.bias"] = {{3}, std::vector<float>(3)};
  bert.write("BertForSequenceClassification");
  contains(bert.refusal(), "\"classifier.weight\" has the shape [3, 32], expected [2, 32]");
  CHECK(bert.refusal_with([](auto& options) { options.labels = {"a", "b", "c"}; }) == "");
}

// ---- Options ----

TEST_CASE("unknown precisions and tasks, and tasks that a head cannot do, are refused") {
  const Bert bert;
  contains(bert.refusal_with([](auto& options) { options.precision = "int4"; }), "\"int4\" is not known");
  contains(bert.refusal_with([](auto& options) { options.task = "sing"; }), "known: embed, classify, tag, answer");
  contains(bert.refusal_with([](auto& options) { options.task = "tag"; }), "BertModel, which does embed, not tag");
}

TEST_CASE("labels for a task without labels are refused") {
  contains(Bert().refusal_with([](auto& options) { options.labels = {"a", "b"}; }), "the task embed has none");
}

TEST_CASE("a pattern of --keep-fp32 that matches nothing is refused") {
  const Bert bert;
  contains(bert.refusal_with([](auto& options) { options.keep_fp32 = {"*.quary"}; }), "\"*.quary\"");
  CHECK(bert.refusal_with([](auto& options) { options.keep_fp32 = {"*.query", "*word_embeddings"}; }) == "");
}

}  // namespace
}  // namespace kinglet::test
