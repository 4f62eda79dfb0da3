// From a checkpoint to numbers: every BERT head against outputs that transformers computed, and other widths against
// the double-precision BERT of reference_bert.h.
#include <doctest/doctest.h>

#include <map>

#include "fixtures.h"
#include "recorded.h"
#include "reference_bert.h"
#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

void check_fp32(const fs::path& source) {
  const TemporaryFolder out;
  convert_checkpoint(source, out / "m.kgl", "fp32");
  check_recorded(source, out / "m.kgl");
}

TEST_CASE("recorded outputs, fp32: F16 with relu, shards, and a .bin with three outputs") {
  for (const char* name : {"bert-seqcls", "bert-ner", "bert-pretraining"}) {
    check_fp32(data_folder() / "tiny" / name);
  }
}

TEST_CASE("recorded outputs, fp32: every BERT") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("recorded outputs of every BERT", "there is no shared folder");
    return;
  }
  for (const char* name : {"bert", "bert-mlm-ko-cased", "bert-mlm-untied", "bert-multilabel", "bert-nsp", "bert-qa",
                           "bert-regression", "bert-seqcls-v5"}) {
    check_fp32(*shared / "models/tiny" / name);
  }
}

const std::vector<int32_t> kIds = {3, 17, 0, 39, 22, 5, 5, 11, 30, 8, 2};
const std::vector<int32_t> kTypes = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1};

std::vector<double> flat(const Matrix& rows) {
  std::vector<double> values;
  for (const auto& row : rows) {
    values.insert(values.end(), row.begin(), row.end());
  }
  return values;
}

// Converts, runs, and compares last_hidden_state with the reference: fp32 closely, int8 by its cosine.
void check_against_reference(const fs::path& folder, const Tensors& tensors, const BertShape& shape,
                             const std::map<uint32_t, uint32_t>& heads) {
  const std::vector<double> expected = flat(reference_bert(tensors, shape, kIds, kTypes, heads));
  const TemporaryFolder out;
  for (const char* precision : {"fp32", "int8"}) {
    CAPTURE(precision);
    convert_checkpoint(folder, out / "m.kgl", precision);
    OpenSession open(out / "m.kgl", raw_outputs());
    const auto actual = run_ids(open, kIds, kTypes).at("last_hidden_state");
    REQUIRE(actual.size() == expected.size());
    if (std::string(precision) == "fp32") {
      CHECK(distance(expected, actual.data()) <= 1);
    } else {
      const std::vector<float> rounded(expected.begin(), expected.end());
      CHECK(cosine(rounded.data(), actual.data(), actual.size()) >= 0.998);
    }
  }
}

TEST_CASE("other widths: heads of 26, three layers, sizes that fit no tile") {
  const BertShape shapes[] = {
      {52, 2, 3, 70, 41, 24, 2}, {26, 1, 3, 33, 40, 11, 3}, {24, 3, 2, 17, 50, 12, 2}, {7, 1, 1, 1, 40, 11, 2}};
  for (const BertShape& shape : shapes) {
    CAPTURE(shape.hidden);
    const TemporaryFolder folder;
    const Tensors tensors = random_bert(shape, shape.hidden);
    write_bert(folder.path(), shape, tensors, "BertModel");
    check_against_reference(folder.path(), tensors, shape, {});
  }
}

TEST_CASE("pruned heads: layers of different widths") {
  const BertShape shape = {48, 3, 2, 64, 40, 16, 2};
  Tensors tensors = random_bert(shape, 9);
  // Layer 1 keeps one head of three.
  const std::string layer = "encoder.layer.1.attention.";
  for (const char* name : {"self.query", "self.key", "self.value"}) {
    tensors[layer + name + ".weight"].shape = {16, 48};
    tensors[layer + name + ".weight"].values.resize(16 * 48);
    tensors[layer + name + ".bias"].shape = {16};
    tensors[layer + name + ".bias"].values.resize(16);
  }
  tensors[layer + "output.dense.weight"].shape = {48, 16};
  tensors[layer + "output.dense.weight"].values.resize(48 * 16);
  const TemporaryFolder folder;
  write_bert(folder.path(), shape, tensors, "BertModel");
  edit_json(folder / "config.json", [](Json& json) { json["pruned_heads"] = {{"1", {2, 0}}}; });
  check_against_reference(folder.path(), tensors, shape, {{1, 1}});
}

TEST_CASE("a PyTorch checkpoint, new or old, gives the bytes that the same safetensors checkpoint gives") {
  const TemporaryFolder folder, out;
  const BertShape shape;
  const Tensors tensors = random_bert(shape, 21);
  const fs::path one = folder / "one/model", two = folder / "two/model";
  write_bert(one, shape, tensors, "BertModel");
  write_file(two / "config.json", read_file(one / "config.json"));
  convert_checkpoint(one, out / "one.kgl", "int8");
  for (const bool legacy : {false, true}) {
    CAPTURE(legacy);
    write_file(two / "pytorch_model.bin", torch_save_bytes(tensors, legacy));
    convert_checkpoint(two, out / "two.kgl", "int8");
    CHECK(read_file(out / "one.kgl") == read_file(out / "two.kgl"));
  }
}

TEST_CASE("tied and untied decoders, and a vocabulary that fits no tile") {
  const BertShape shape = {32, 2, 1, 48, 41, 16, 2};
  Tensors tensors = random_bert(shape, 4);
  const auto copy_as = [&](const char* from, const char* to) { tensors[to] = tensors.at(from); };
  copy_as("pooler.dense.weight", "cls.predictions.transform.dense.weight");
  copy_as("pooler.dense.bias", "cls.predictions.transform.dense.bias");
  copy_as("embeddings.LayerNorm.weight", "cls.predictions.transform.LayerNorm.weight");
  copy_as("embeddings.LayerNorm.bias", "cls.predictions.transform.LayerNorm.bias");
  copy_as("embeddings.word_embeddings.weight", "cls.predictions.decoder.weight");
  tensors["cls.predictions.bias"] = {{41}, std::vector<float>(41, 0.25f)};
  const TemporaryFolder folder, out;
  std::map<std::string, std::vector<float>> results;
  for (const bool tied : {true, false}) {
    for (const char* precision : {"fp32", "int8"}) {
      write_bert(folder.path(), shape, tensors, "BertForMaskedLM");
      edit_json(folder / "config.json", [&](Json& json) { json["tie_word_embeddings"] = tied; });
      convert_checkpoint(folder.path(), out / "m.kgl", precision);
      OpenSession open(out / "m.kgl", raw_outputs());
      results[std::string(precision) + (tied ? " tied" : " untied")] = run_ids(open, kIds, kTypes).at("logits");
    }
  }
  CHECK(results["fp32 tied"] == results["fp32 untied"]);
  CHECK(results["int8 tied"] == results["int8 untied"]);
  CHECK(results["fp32 tied"].size() == kIds.size() * 41);
  CHECK(cosine(results["fp32 tied"].data(), results["int8 tied"].data(), kIds.size() * 41) >= 0.998);
}

}  // namespace
}  // namespace kinglet::test
