// Checkpoints as they are found: the same weights under other names, with more or less around them, give the same file
// byte for byte; and what belongs to other software is refused in one line.
#include <doctest/doctest.h>

#include <functional>
#include <optional>

#include "error.h"
#include "fixtures.h"
#include "readers/checkpoint.h"
#include "recorded.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

// A checkpoint that is read, changed and written again.
struct Checkpoint {
  Json config;
  Tensors tensors;

  static Checkpoint load(const fs::path& folder) {
    Checkpoint checkpoint;
    checkpoint.config = Json::parse(read_file(folder / "config.json"));
    for (const auto& [name, stored] : convert::open_checkpoint(folder, {}).tensors) {
      if (stored.type != convert::ElementType::other) {
        RandomTensor& tensor = checkpoint.tensors[name];
        tensor.shape.assign(stored.shape.begin(), stored.shape.end());
        tensor.values.resize(stored.element_count());
        convert::read_elements(stored, 0, tensor.values.size(), tensor.values.data());
      }
    }
    return checkpoint;
  }

  void rename(const std::function<std::string(const std::string&)>& new_name) {
    Tensors renamed;
    for (const auto& [name, tensor] : tensors) {
      renamed[new_name(name)] = tensor;
    }
    tensors = renamed;
  }

  void write(const fs::path& folder) const {
    write_file(folder / "config.json", config.dump());
    write_safetensors(folder / "model.safetensors", tensors);
  }

  // The converted file. The folder always has the same name, which the file holds.
  std::string converted() const {
    const TemporaryFolder folder;
    write(folder / "model");
    convert_checkpoint(folder / "model", folder / "m.kgl", "int8");
    return read_file(folder / "m.kgl");
  }

  std::string refusal() const {
    const TemporaryFolder folder;
    write(folder.path());
    return convert_error(folder.path());
  }
};

void contains(const std::string& text, const std::string& part) {
  INFO("message: ", text);
  CHECK(text.find(part) != std::string::npos);
}

struct Family {
  std::string name;     // in models/tiny
  std::string prefix;   // of its tensors
  std::string pooler;   // a layer that its head does not need and that is left in files, or ""
  std::string decoder;  // the tied decoder, which other versions store as well, or ""
  std::string bias;     // that of the decoder, or "" where it is called decoder.bias
};

const std::vector<Family>& families() {
  static const std::vector<Family> list = {
      {"bert-qa", "bert.", "pooler.dense", "", ""},
      {"albert-qa", "albert.", "pooler", "", ""},
      {"albert-seqcls", "albert.", "", "", ""},
      {"albert-pretraining", "albert.", "", "predictions.decoder", "predictions.bias"},
      {"distilbert-seqcls", "distilbert.", "", "", ""},
      {"distilbert-ner", "distilbert.", "", "", ""},
      {"distilbert-mlm", "distilbert.", "", "vocab_projector", ""},
      {"roberta-seqcls", "roberta.", "pooler.dense", "", ""},
      {"roberta-ner", "roberta.", "pooler.dense", "", ""},
      {"roberta-qa", "roberta.", "pooler.dense", "", ""},
      {"roberta-mlm", "roberta.", "pooler.dense", "lm_head.decoder", "lm_head.bias"},
      {"electra-discriminator", "electra.", "", "", ""},
      {"electra-seqcls", "electra.", "", "", ""},
      {"electra-generator", "electra.", "", "generator_lm_head", ""},
  };
  return list;
}

std::optional<fs::path> tiny(const std::string& name) {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("checkpoints in other forms", "there is no shared folder");
    return std::nullopt;
  }
  return *shared / "models/tiny" / name;
}

std::string without(const std::string& name, const std::string& prefix) {
  return name.starts_with(prefix) ? name.substr(prefix.size()) : name;
}

// LayerNorm.gamma and .beta, as they were called once.
std::string old_name(std::string name) {
  for (const auto& [now, then] : {std::pair<std::string, std::string>{"LayerNorm.weight", "gamma"},
                                  std::pair<std::string, std::string>{"LayerNorm.bias", "beta"}}) {
    if (name.ends_with(now)) {
      name.replace(name.rfind('.') + 1, std::string::npos, then);
    }
  }
  return name;
}

void check_names(const Family& family, const Checkpoint& good, const std::string& expected) {
  for (const char* wrapper : {"module.", "_orig_mod.module.", "model."}) {
    CAPTURE(wrapper);
    Checkpoint wrapped = good;
    wrapped.rename([&](const std::string& name) { return wrapper + name; });
    wrapped.config.erase("model_type");
    wrapped.config.erase("architectures");
    CHECK(wrapped.converted() == expected);
  }
  Checkpoint bare = good;  // without the family's prefix
  bare.rename([&](const std::string& name) { return without(name, family.prefix); });
  bare.config.erase("architectures");
  CHECK(bare.converted() == expected);
  bare.config = good.config;
  bare.config.erase("model_type");
  CHECK(bare.converted() == expected);

  Checkpoint old = good;
  old.rename(old_name);
  CHECK(old.tensors.count(family.prefix + "embeddings.LayerNorm.gamma") == 1);
  CHECK(old.converted() == expected);
}

void check_leftovers(const Family& family, const Checkpoint& good, const std::string& expected) {
  Checkpoint more = good;
  if (!family.pooler.empty()) {
    more.tensors[family.prefix + family.pooler + ".weight"] = {{64, 64}, std::vector<float>(64 * 64, 1.0f)};
    more.tensors[family.prefix + family.pooler + ".bias"] = {{64}, std::vector<float>(64, 1.0f)};
  }
  const RandomTensor& words = good.tensors.at(family.prefix + "embeddings.word_embeddings.weight");
  if (!family.decoder.empty()) {
    more.tensors[family.decoder + ".weight"] = words;
    if (!family.bias.empty()) {
      more.tensors[family.decoder + ".bias"] = good.tensors.at(family.bias);
    }
  }
  CHECK(more.converted() == expected);
  if (!family.bias.empty()) {
    more.tensors.erase(family.bias);  // only under its other name
    CHECK(more.refusal() == "");
  }
  if (!family.decoder.empty()) {
    more.config["tie_word_embeddings"] = false;
    CHECK(more.refusal() == "");
    more.tensors.erase(family.decoder + ".weight");
    contains(more.refusal(), "the tensor \"" + family.decoder + ".weight\" [12");
  }
}

TEST_CASE("names of wrappers, of older versions and of no family, and tensors left over, give the same file") {
  for (const Family& family : families()) {
    CAPTURE(family.name);
    const auto source = tiny(family.name);
    if (!source) {
      return;
    }
    const Checkpoint good = Checkpoint::load(*source);
    const std::string expected = good.converted();
    check_names(family, good, expected);
    check_leftovers(family, good, expected);
  }
}

TEST_CASE("XLM-RoBERTa and CamemBERT without a model_type are known by their class, or are RoBERTas") {
  for (const char* name : {"xlmr-seqcls", "camembert-mlm"}) {
    const auto source = tiny(name);
    if (!source) {
      return;
    }
    Checkpoint checkpoint = Checkpoint::load(*source);
    const std::string expected = checkpoint.converted();
    checkpoint.config.erase("model_type");
    CHECK(checkpoint.converted() == expected);
    checkpoint.config.erase("architectures");
    CHECK(checkpoint.refusal() == "");
  }
}

// ---- A checkpoint of BERT in the way of other software ----

struct Bert {
  TemporaryFolder folder;
  BertShape shape;
  Tensors tensors = random_bert(shape, 5);
  Bert() { write(); }
  void write() const { write_bert(folder.path(), shape, tensors, "BertModel"); }
  std::string refusal() const { return convert_error(folder.path()); }
};

TEST_CASE("a config that says nothing of the family: the tensors tell, or the checkpoint is refused") {
  Bert bert;
  edit_json(bert.folder / "config.json", [](Json& json) {
    json.erase("model_type");
    json.erase("architectures");
  });
  CHECK(bert.refusal() == "");
  edit_json(bert.folder / "config.json", [](Json& json) { json["architectures"] = {"BertGenerationEncoder"}; });
  contains(bert.refusal(), "the architecture \"BertGenerationEncoder\" is not supported");
  edit_json(bert.folder / "config.json", [](Json& json) { json.erase("architectures"); });
  write_safetensors(bert.folder / "model.safetensors", {{"x", {{2}, {1, 2}}}});
  contains(bert.refusal(), "has no model_type, and neither \"architectures\" nor the names of the tensors tell");
}

TEST_CASE("adapters are refused: their folders, their fields, their tensors") {
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"}) {
    const Bert bert;
    write_file(bert.folder / name, "{}");
    contains(bert.refusal(), std::string("holds an adapter (LoRA or another one; it has ") + name);
    fs::remove(bert.folder / "config.json");
    contains(bert.refusal(), "holds an adapter");
  }
  const Bert bert;
  edit_json(bert.folder / "config.json", [](Json& json) { json["adapters"]["adapters"] = Json::object(); });
  CHECK(bert.refusal() == "");
  edit_json(bert.folder / "config.json", [](Json& json) { json["adapters"]["adapters"] = {{"ner", "pfeiffer"}}; });
  contains(bert.refusal(), "has adapters");
}

TEST_CASE("tensors of adapters and of quantising tools are refused for what they are") {
  const std::pair<const char*, const char*> cases[] = {
      {"encoder.layer.0.attention.self.query.lora_A.default.weight", "is part of a LoRA adapter"},
      {"base_model.model.bert.encoder.layer.0.attention.self.query.lora_B.weight", "is part of a LoRA adapter"},
      {"encoder.layer.0.output.adapters.ner.adapter_down.0.weight", "is part of an adapter"},
      {"encoder.layer.0.output.dense.qweight", "is quantised already (GPTQ or AWQ)"},
      {"encoder.layer.0.output.dense.SCB", "is quantised already (bitsandbytes)"},
      {"encoder.layer.0.output.dense.weight.absmax", "is quantised already (bitsandbytes)"},
      {"encoder.layer.0.output.dense._packed_params.dtype", "is quantised already (PyTorch)"},
  };
  for (const auto& [name, message] : cases) {
    Bert bert;
    bert.tensors[name] = {{4}, {1, 2, 3, 4}};
    bert.write();
    contains(bert.refusal(), message);
  }
}

TEST_CASE("ONNX is refused for what it is") {
  const Bert bert;
  write_file(bert.folder / "model.onnx", "x");
  contains(convert_error(bert.folder / "model.onnx"), "is an ONNX graph");
  fs::remove(bert.folder / "model.safetensors");
  contains(bert.refusal(), "it has model.onnx, which is not read");
}

TEST_CASE("a hub cache of links converts, and the file names its repository") {
  const Bert bert;
  const fs::path cache = bert.folder / "models--someone--tiny-bert";
  const fs::path snapshot = cache / "snapshots/0123abcd";
  fs::create_directories(snapshot);
  fs::create_directories(cache / "blobs");
  for (const char* name : {"config.json", "model.safetensors"}) {
    fs::rename(bert.folder / name, cache / "blobs" / (std::string("hash-of-") + name));
    fs::create_symlink(fs::path("../../blobs") / (std::string("hash-of-") + name), snapshot / name);
  }
  convert_checkpoint(snapshot, bert.folder / "m.kgl", "int8");
  contains(read_file(bert.folder / "m.kgl"), "someone/tiny-bert@0123abcd");
  CHECK(convert_error(snapshot / "model.safetensors") == "");
  contains(convert_error(cache), "has no config.json");
  write_file(cache / "refs/main", "../../etc");
  contains(convert_error(cache), "has no config.json");
  write_file(cache / "refs/main", "0123abcd");
  convert_checkpoint(cache, bert.folder / "n.kgl", "int8");
  CHECK(read_file(bert.folder / "m.kgl") == read_file(bert.folder / "n.kgl"));
}

}  // namespace
}  // namespace kinglet::test
