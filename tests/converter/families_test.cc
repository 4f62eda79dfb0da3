// Every family but BERT: outputs that transformers recorded, in both precisions and with the same bits on the reference
// kernels; and sizes that were not recorded, against the double-precision BERT of reference_bert.h.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "fixtures.h"
#include "prune/network.h"
#include "recorded.h"
#include "reference_bert.h"
#include "source_model.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;

// Folders of models/tiny, with the least cosine of their int8 outputs: random shared layers are a hard case.
struct Recorded {
  const char* name;
  double least_cosine;
};
constexpr Recorded kRecorded[] = {
    {"albert-seqcls", 0.985},
    {"albert-pretraining", 0.985},
    {"albert-qa", 0.985},
    {"distilbert-seqcls", 0.99},
    {"distilbert-mlm", 0.99},
    {"distilbert-qa", 0.99},
    {"distilbert-ner", 0.99},
    {"distilbert-mlm-v5", 0.99},
    {"roberta-seqcls", 0.99},
    {"roberta-mlm", 0.99},
    {"roberta-ner", 0.99},
    {"roberta-qa", 0.99},
    {"roberta-mlm-v5", 0.99},
    {"roberta-with-wordpiece", 0.99},
    {"xlmr-mlm", 0.99},
    {"xlmr-seqcls", 0.99},
    {"xlmr-seqcls-v5", 0.99},
    {"camembert-mlm", 0.99},
    {"electra-discriminator", 0.99},
    {"electra-discriminator-v5", 0.99},
    {"electra-seqcls", 0.99},
    {"electra-generator", 0.99},
    {"electra-same-width", 0.99},
    {"mobilebert-seqcls", 0.985},
    {"mobilebert-qa", 0.985},
    {"mobilebert-mlm", 0.985},
};

// ---- Recorded outputs ----

// A child of this process, which a processor's choice of kernels is made in anew, opens the files of a folder and
// writes all their outputs.
constexpr const char* kChildFolder = "KINGLET_TEST_FILES";

// All outputs of NAME.kgl for the recorded cases of NAME, as bytes.
std::string output_bytes(const fs::path& file) {
  OpenSession open(file, raw_outputs());
  const fs::path source = *shared_folder() / "models/tiny" / file.stem();
  const Json recorded = Json::parse(read_file(source / "expected.json"));
  std::string bytes;
  for (const Json& entry : recorded.at("cases")) {
    for (const auto& [name, values] : run_ids(open, recorded_ids(entry), recorded_types(entry))) {
      bytes.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    }
  }
  return bytes;
}

TEST_CASE("child process: the outputs of a folder's files" * doctest::skip()) {
  for (const Recorded& recorded : kRecorded) {
    const fs::path file = fs::path(std::getenv(kChildFolder)) / (std::string(recorded.name) + ".kgl");
    write_file(file.string() + ".out", output_bytes(file));
  }
}

void run_child(const fs::path& folder) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("KINGLET_ISA", "reference", 1);
    setenv(kChildFolder, folder.c_str(), 1);
    execl("/proc/self/exe", "families_test", "--test-case=child process*", "--no-skip", static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

TEST_CASE("recorded outputs: fp32, int8, and the bits of int8 on the reference kernels") {
  if (!shared_folder()) {
    skipped("recorded outputs of the families", "there is no shared folder");
    return;
  }
  const TemporaryFolder folder;
  for (const Recorded& recorded : kRecorded) {
    const fs::path source = *shared_folder() / "models/tiny" / recorded.name;
    const fs::path ids_only = without_tokenizer(source, folder / "checkpoints");
    convert_checkpoint(ids_only, folder / "fp32.kgl", "fp32");
    check_recorded(source, folder / "fp32.kgl");
    const fs::path int8 = folder / (std::string(recorded.name) + ".kgl");
    convert_checkpoint(ids_only, int8, "int8");
    check_recorded(source, int8, recorded.least_cosine);
  }
  run_child(folder.path());
  for (const Recorded& recorded : kRecorded) {
    CAPTURE(recorded.name);
    const fs::path file = folder / (std::string(recorded.name) + ".kgl");
    const std::string bytes = output_bytes(file);
    CHECK(!bytes.empty());
    CHECK(bytes == read_file(file.string() + ".out"));
  }
}

// ---- Sizes that fit no tile ----

const std::vector<int32_t> kIds = {3, 17, 0, 39, 22, 5, 5, 11, 30, 8, 2};
const std::vector<int32_t> kTypes = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1};
const std::vector<int32_t> kNoTypes(kIds.size());

// The same tensors with names changed: in each, the first of `names` that it begins with, and every other inside.
Tensors renamed(const Tensors& tensors, const std::vector<std::pair<std::string, std::string>>& names) {
  Tensors result;
  for (const auto& [old_name, tensor] : tensors) {
    std::string name = old_name;
    for (const auto& [from, to] : names) {
      if (const size_t place = name.find(from); place != name.npos) {
        name.replace(place, from.size(), to);
      }
    }
    result[name] = tensor;
  }
  return result;
}

void erase(Tensors& tensors, const std::string& prefix) {
  std::erase_if(tensors, [&](const auto& entry) { return entry.first.starts_with(prefix); });
}

// A checkpoint against last_hidden_state computed from the tensors of a BERT.
// The network that pruning differentiates computes the same.
void check_network(const fs::path& folder, const std::vector<int32_t>& types, const std::vector<double>& expected) {
  const convert::ModelIR model = convert::read_source_model(folder, {}, {}, [](const std::string&, double) {}).model;
  const convert::Network network(model);
  convert::Tokens tokens = {kIds, types, {0, static_cast<uint32_t>(kIds.size())}};
  convert::Tape tape = network.tape(tokens, 0, 1, false);
  network.forward(tape, 0, model.program.size());
  for (const convert::Output& output : model.outputs) {
    if (output.name == "last_hidden_state") {
      REQUIRE(tape.values[output.value].size() == expected.size());
      CHECK(distance(expected, tape.values[output.value].data()) <= 1);
    }
  }
}

void check_encoder(const Json& config, const Tensors& tensors, const std::vector<int32_t>& types, const Tensors& bert,
                   const BertShape& shape, double least_cosine = 0.998) {
  const TemporaryFolder folder, out;
  write_file(folder / "config.json", config.dump());
  write_safetensors(folder / "model.safetensors", tensors);
  std::vector<double> expected;
  for (const auto& row : reference_bert(bert, shape, kIds, types)) {
    expected.insert(expected.end(), row.begin(), row.end());
  }
  check_network(folder.path(), types, expected);
  for (const char* precision : {"fp32", "int8"}) {
    CAPTURE(precision);
    convert_checkpoint(folder.path(), out / "m.kgl", precision);
    OpenSession open(out / "m.kgl", raw_outputs());
    const auto actual = run_ids(open, kIds, types).at("last_hidden_state");
    REQUIRE(actual.size() == expected.size());
    if (std::string(precision) == "fp32") {
      CHECK(distance(expected, actual.data()) <= 1);
    } else {
      const std::vector<float> rounded(expected.begin(), expected.end());
      CHECK(cosine(rounded.data(), actual.data(), actual.size()) >= least_cosine);
    }
  }
}

// Heads of 26 in three layers; an embedding width that is not the hidden one, of 19 (wider and narrower); one of 7.
const BertShape kShapes[] = {
    {52, 2, 3, 70, 41, 24, 2, 19}, {26, 1, 3, 33, 43, 11, 2, 48}, {24, 3, 2, 17, 50, 12, 2, 7}};

TEST_CASE("ALBERT of other sizes: groups, inner groups, layers that the groups do not divide") {
  struct Groups {
    uint32_t layers, groups, inner;
  };
  const Groups cases[] = {{3, 2, 2}, {5, 3, 1}, {2, 1, 3}};
  for (size_t i = 0; i < std::size(cases); ++i) {
    CAPTURE(i);
    const auto [layers, groups, inner] = cases[i];
    BertShape shape = kShapes[i];
    shape.layers = groups * inner;
    const Tensors distinct = random_bert(shape, 70 + static_cast<uint32_t>(i));
    Tensors albert, unshared = distinct;
    erase(unshared, "encoder.");
    const std::vector<std::pair<std::string, std::string>> names = {
        {"attention.self.", "attention."},
        {"attention.output.", "attention."},
        {".intermediate.dense", ".ffn"},
        {".output.dense", ".ffn_output"},
        {".output.LayerNorm", ".full_layer_layer_norm"},
        {"embeddings_project", "encoder.embedding_hidden_mapping_in"},
        {"pooler.dense", "pooler"},
    };
    for (const auto& [name, tensor] : renamed(distinct, names)) {
      if (!name.starts_with("encoder.layer.")) {
        albert["albert." + name] = tensor;
      }
    }
    for (uint32_t group = 0; group < groups; ++group) {
      for (uint32_t place = 0; place < inner; ++place) {
        const std::string from = "encoder.layer." + std::to_string(group * inner + place) + ".";
        const std::string to = "albert.encoder.albert_layer_groups." + std::to_string(group) + ".albert_layers." +
                               std::to_string(place) + ".";
        for (const auto& [name, tensor] : renamed(distinct, names)) {
          if (name.starts_with(from)) {
            albert[to + name.substr(from.size())] = tensor;
          }
        }
      }
    }
    BertShape deep = shape;
    deep.layers = 0;
    for (uint32_t layer = 0; layer < layers; ++layer) {
      const auto group = static_cast<uint32_t>(layer / (static_cast<double>(layers) / groups));
      for (uint32_t place = 0; place < inner; ++place, ++deep.layers) {
        const std::string from = "encoder.layer." + std::to_string(group * inner + place) + ".";
        for (const auto& [name, tensor] : distinct) {
          if (name.starts_with(from)) {
            unshared["encoder.layer." + std::to_string(deep.layers) + "." + name.substr(from.size())] = tensor;
          }
        }
      }
    }
    Json config = bert_config(shape, "AlbertModel");
    config["model_type"] = "albert";
    config["embedding_size"] = shape.embedding;
    config["num_hidden_layers"] = layers;
    config["num_hidden_groups"] = groups;
    config["inner_group_num"] = inner;
    check_encoder(config, albert, kTypes, unshared, deep);
  }
}

TEST_CASE("ALBERT's layers stay shared in the file") {
  const auto source = shared_folder();
  if (!source) {
    skipped("the size of ALBERT's files", "there is no shared folder");
    return;
  }
  const TemporaryFolder folder;
  const fs::path checkpoint = *source / "models/tiny/albert-qa";
  std::vector<uintmax_t> sizes;
  for (const uint32_t layers : {3u, 24u}) {
    const fs::path copy = without_tokenizer(checkpoint, folder / std::to_string(layers));
    Json config = Json::parse(read_file(copy / "config.json"));
    config["num_hidden_layers"] = layers;
    fs::remove(copy / "config.json");
    write_file(copy / "config.json", config.dump());
    convert_checkpoint(copy, folder / "m.kgl", "int8");
    sizes.push_back(fs::file_size(folder / "m.kgl"));
  }
  const uintmax_t ops = 21 * 6;  // of 21 more layers
  CHECK(sizes[1] > sizes[0]);
  CHECK(sizes[1] - sizes[0] < ops * 120);
}

TEST_CASE("DistilBERT of other sizes: no token types, whatever ids they are given") {
  for (BertShape shape : kShapes) {
    CAPTURE(shape.hidden);
    shape.embedding = 0;
    Tensors bert = random_bert(shape, 80 + shape.hidden);
    erase(bert, "pooler.");
    auto& types = bert["embeddings.token_type_embeddings.weight"].values;
    types.assign(types.size(), 0.0f);
    Tensors tensors = renamed(bert, {{"encoder.layer.", "transformer.layer."},
                                     {"attention.self.query", "attention.q_lin"},
                                     {"attention.self.key", "attention.k_lin"},
                                     {"attention.self.value", "attention.v_lin"},
                                     {"attention.output.dense", "attention.out_lin"},
                                     {"attention.output.LayerNorm", "sa_layer_norm"},
                                     {"intermediate.dense", "ffn.lin1"},
                                     {".output.dense", ".ffn.lin2"},
                                     {".output.LayerNorm", ".output_layer_norm"}});
    tensors.erase("embeddings.token_type_embeddings.weight");
    const Json config = {{"model_type", "distilbert"},
                         {"architectures", {"DistilBertModel"}},
                         {"dim", shape.hidden},
                         {"n_heads", shape.heads},
                         {"n_layers", shape.layers},
                         {"hidden_dim", shape.intermediate},
                         {"vocab_size", shape.vocabulary},
                         {"max_position_embeddings", shape.positions}};
    check_encoder(config, tensors, kTypes, bert, shape);
    Json other = config;  // under the names that other families have
    for (const auto& [own, name] : {std::pair("dim", "hidden_size"), std::pair("n_heads", "num_attention_heads"),
                                    std::pair("n_layers", "num_hidden_layers")}) {
      other[name] = other[own];
      other[own] = 1;
    }
    check_encoder(other, tensors, kTypes, bert, shape);
  }
}

TEST_CASE("RoBERTa of other sizes: positions begin after the padding's, which does not count") {
  for (BertShape shape : kShapes) {
    CAPTURE(shape.hidden);
    shape.embedding = 0;
    shape.types = 1;
    const Tensors bert = random_bert(shape, 90 + shape.hidden);
    for (const uint32_t padding : {1u, 4u, 5u}) {  // 5 is in the text
      Tensors tensors = renamed(bert, {{"embeddings.", "roberta.embeddings."}, {"encoder.", "roberta.encoder."}});
      RandomTensor& positions = tensors["roberta.embeddings.position_embeddings.weight"];
      positions.shape[0] += padding + 1;
      positions.values.insert(positions.values.begin(), (padding + 1) * shape.hidden, 3.0f);
      Json config = bert_config(shape, "XLMRobertaModel");
      config["model_type"] = "xlm-roberta";
      config["pad_token_id"] = padding;
      config["max_position_embeddings"] = positions.shape[0];
      Tensors reference = bert;
      float* row = reference["embeddings.position_embeddings.weight"].values.data();
      const float* next = bert.at("embeddings.position_embeddings.weight").values.data();
      for (const int32_t id : kIds) {
        const bool is_padding = id == static_cast<int32_t>(padding);
        for (uint32_t i = 0; i < shape.hidden; ++i) {
          *row++ = is_padding ? 3.0f : *next++;
        }
      }
      check_encoder(config, tensors, kNoTypes, reference, shape);
    }
  }
}

TEST_CASE("ELECTRA of other sizes: with and without a projection of the embeddings") {
  for (BertShape shape : kShapes) {
    CAPTURE(shape.hidden);
    for (const bool projected : {true, false}) {
      shape.embedding = projected ? shape.embedding : 0;
      Tensors tensors = random_bert(shape, 100 + shape.hidden);
      erase(tensors, "pooler.");
      Json config = bert_config(shape, "ElectraModel");
      config["model_type"] = "electra";
      config["embedding_size"] = projected ? shape.embedding : shape.hidden;
      check_encoder(config, tensors, kTypes, tensors, shape);
    }
  }
}

}  // namespace
}  // namespace kinglet::test
