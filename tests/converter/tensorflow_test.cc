// TensorFlow checkpoints: the same tensors give the same file as from safetensors; and what is broken is refused.
#include <doctest/doctest.h>

#include "error.h"
#include "fixtures.h"
#include "readers/checkpoint.h"
#include "readers/table_file.h"
#include "readers/tensorflow.h"
#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"
#include "tensorflow_fixtures.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;
using namespace kinglet::convert;

void contains(const std::string& text, const std::string& part) {
  INFO("message: ", text);
  CHECK(text.find(part) != std::string::npos);
}

Tensors load(const fs::path& checkpoint) {
  Tensors tensors;
  for (const auto& [name, stored] : open_checkpoint(checkpoint, {}).tensors) {
    if (stored.type != ElementType::other) {
      RandomTensor& tensor = tensors[name];
      tensor.shape.assign(stored.shape.begin(), stored.shape.end());
      tensor.values.resize(stored.element_count());
      read_elements(stored, 0, tensor.values.size(), tensor.values.data());
    }
  }
  return tensors;
}

// What transformers keeps for itself: the original releases have one token table, and no separate decoder.
Tensors without_decoder(Tensors tensors) {
  std::erase_if(tensors, [](const auto& entry) { return entry.first.find(".decoder.") != std::string::npos; });
  return tensors;
}

// The checkpoint at `source` as safetensors, and as TensorFlow with what its config says besides the family.
void check_same_file(const fs::path& source, Tensors (*variables)(const Tensors&), const char* config_name,
                     const std::string& prefix) {
  const TemporaryFolder folder;
  const Tensors tensors = without_decoder(load(source));
  Json config = Json::parse(read_file(source / "config.json"));
  write_file(folder / "one/model/config.json", config.dump());
  write_safetensors(folder / "one/model/model.safetensors", tensors);
  for (const char* field : {"model_type", "architectures", "transformers_version", "dtype"}) {
    config.erase(field);
  }
  const fs::path two = folder / "two/model";
  write_file(two / config_name, config.dump());
  write_tensorflow(two / prefix, variables(tensors));
  convert_checkpoint(folder / "one/model", folder / "one.kgl", "int8");
  convert_checkpoint(two, folder / "two.kgl", "int8");
  CHECK(read_file(folder / "one.kgl") == read_file(folder / "two.kgl"));
  convert_checkpoint(two / (prefix + ".index"), folder / "two.kgl", "int8");
  CHECK(read_file(folder / "one.kgl") == read_file(folder / "two.kgl"));
}

TEST_CASE("BERT from TensorFlow gives the bytes that the same safetensors checkpoint gives") {
  check_same_file(data_folder() / "tiny/bert-pretraining", tensorflow_bert, "bert_config.json", "bert_model.ckpt");
}

TEST_CASE("ALBERT from TensorFlow gives the bytes that the same safetensors checkpoint gives") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("ALBERT from TensorFlow", "there is no shared folder");
    return;
  }
  check_same_file(*shared / "models/tiny/albert-pretraining", tensorflow_albert, "albert_config.json",
                  "model.ckpt-best");
}

TEST_CASE("names of variables") {
  struct Name {
    const char* variable;
    bool albert;
    const char* name;
    bool transposed;
  };
  const Name names[] = {
      {"bert/embeddings/word_embeddings", false, "bert.embeddings.word_embeddings.weight", false},
      {"bert/encoder/layer_11/attention/output/dense/kernel", false,
       "bert.encoder.layer.11.attention.output.dense.weight", true},
      {"bert/encoder/layer_0/output/LayerNorm/gamma", false, "bert.encoder.layer.0.output.LayerNorm.weight", false},
      {"cls/predictions/output_bias", false, "cls.predictions.bias", false},
      {"cls/seq_relationship/output_weights", false, "cls.seq_relationship.weight", false},
      {"cls/squad/output_weights", false, "qa_outputs.weight", false},
      {"output_weights", false, "classifier.weight", false},
      {"output_bias", true, "classifier.bias", false},
      {"bert/pooler/dense/kernel/adam_v", false, "", false},
      {"global_step", true, "", false},
      {"module/bert/pooler/dense/bias", true, "albert.pooler.bias", false},
      {"bert/encoder/embedding_hidden_mapping_in/kernel", true, "albert.encoder.embedding_hidden_mapping_in.weight",
       true},
      {"bert/encoder/transformer/group_0/inner_group_1/attention_1/self/query/kernel", true,
       "albert.encoder.albert_layer_groups.0.albert_layers.1.attention.query.weight", true},
      {"bert/encoder/transformer/group_0/inner_group_0/attention_1/output/dense/bias", true,
       "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.dense.bias", false},
      {"bert/encoder/transformer/group_0/inner_group_0/LayerNorm/beta", true,
       "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.LayerNorm.bias", false},
      {"bert/encoder/transformer/group_0/inner_group_0/LayerNorm_1/gamma", true,
       "albert.encoder.albert_layer_groups.0.albert_layers.0.full_layer_layer_norm.weight", false},
      {"bert/encoder/transformer/group_0/inner_group_0/ffn_1/intermediate/output/dense/kernel", true,
       "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn_output.weight", true},
      {"cls/predictions/transform/LayerNorm/gamma", true, "predictions.LayerNorm.weight", false},
      {"cls/seq_relationship/output_weights", true, "sop_classifier.classifier.weight", false},
  };
  for (const Name& expected : names) {
    CAPTURE(expected.variable);
    bool transposed = false;
    CHECK(transformers_name(expected.variable, expected.albert, &transposed) == expected.name);
    CHECK(transposed == expected.transposed);
  }
}

// ---- The index ----

TEST_CASE("CRC-32C of its standard's example") {
  const std::string digits = "123456789";
  CHECK(crc32c({reinterpret_cast<const uint8_t*>(digits.data()), digits.size()}) == 0xe3069283);
}

std::string table_refusal(const std::string& bytes) {
  try {
    read_table(*memory_file({bytes.begin(), bytes.end()}, "x.index"));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a table of several blocks is read whole, whatever keys share") {
  std::map<std::string, std::string> entries = {{"", "header"}};
  for (int i = 0; i < 100; ++i) {
    entries["bert/encoder/layer_" + std::to_string(i)] = std::string(static_cast<size_t>(i * 3), 'x');
  }
  for (const size_t per_block : {1u, 7u, 1000u}) {
    const std::string bytes = table_bytes(entries, per_block);
    CHECK(read_table(*memory_file({bytes.begin(), bytes.end()}, "x.index")) == entries);
  }
}

TEST_CASE("every prefix of a table, and every byte changed, is refused") {
  const std::string good = table_bytes({{"", "h"}, {"abc", "1"}, {"abd", "2"}}, 2);
  REQUIRE(table_refusal(good) == "");
  for (size_t i = 0; i < good.size(); ++i) {
    CAPTURE(i);
    CHECK(table_refusal(good.substr(0, i)) != "");
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x21);
    // The footer's filling means nothing.
    const bool filling = good[i] == 0 && i + 48 > good.size() && i + 8 < good.size();
    CHECK((table_refusal(bad) != "" || filling));
  }
  contains(table_refusal(std::string(1000, 'x')), "does not end like the index of a TensorFlow checkpoint");
}

// ---- The bundle ----

// A bundle of one tensor "x" [2, 3] whose entry is changed.
std::string bundle_refusal(const std::string& entry, const std::string& header = bundle_header(),
                           size_t data_bytes = 24) {
  const TemporaryFolder folder;
  write_file(folder / "m.ckpt.index", table_bytes({{"", header}, {"x", entry}}));
  write_file(folder / "m.ckpt.data-00000-of-00001", std::string(data_bytes, '\0'));
  try {
    std::vector<fs::path> files;
    read_tensorflow(folder / "m.ckpt.index", &files);
    CHECK(files.size() == 2);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("entries that do not fit their files are refused by the tensor's name") {
  CHECK(bundle_refusal(bundle_entry({2, 3}, 0, 24)) == "");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 20)), "the tensor \"x\" of shape [2, 3] takes 20 bytes");
  contains(bundle_refusal(bundle_entry({2, 3}, 1, 24)), "\"x\" of shape [2, 3] takes 24 bytes from 1 on");
  contains(bundle_refusal(bundle_entry({2, 3}, ~uint64_t{0} - 8, 24)), "does not fit");
  contains(bundle_refusal(bundle_entry({0xffffffff, 0xffffffff, 4}, 0, 0)), "does not fit");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24) + number_field(3, 1)), "is in data file 1 of 1");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24) + bytes_field(7, "")), "stored in slices");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24) + "\x0b"), "is not a message of protocol buffers");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24) + bytes_field(8, "abc").substr(0, 3)), "ends too early");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24), number_field(2, 1)), "is big-endian");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24), number_field(1, 0)), "has 0 data files");
  contains(bundle_refusal(bundle_entry({2, 3}, 0, 24), number_field(1, 2)), "m.ckpt.data-00000-of-00002");
}

TEST_CASE("a folder of several TensorFlow checkpoints wants one to be named") {
  const TemporaryFolder folder;
  const BertShape shape;
  write_file(folder / "bert_config.json", bert_config(shape, "BertModel").dump());
  Tensors tensors;
  for (const auto& [name, tensor] : random_bert(shape, 3)) {
    tensors["bert." + name] = tensor;
  }
  for (const char* name : {"model.ckpt-10", "model.ckpt-20"}) {
    write_tensorflow(folder / name, tensorflow_bert(tensors));
  }
  contains(convert_error(folder.path()), "has several TensorFlow checkpoints");
  CHECK(convert_error(folder / "model.ckpt-20.index") == "");
}

}  // namespace
}  // namespace kinglet::test
