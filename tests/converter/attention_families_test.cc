// The families whose attention knows distances (MPNet, ModernBERT, DeBERTa), and XLM, on the ids that were
// recorded.
#include <doctest/doctest.h>

#include <random>

#include "id_runs.h"
#include "reference_relative.h"
#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

constexpr const char* kCheckpoints[] = {"mpnet",
                                        "mpnet-mlm",
                                        "mpnet-seqcls",
                                        "mpnet-v5",
                                        "modernbert-mlm",
                                        "modernbert-seqcls",
                                        "modernbert-seqcls-v5",
                                        "deberta-v3-seqcls",
                                        "deberta-v3-ner",
                                        "deberta-v3-qa",
                                        "deberta-v3-ner-v5",
                                        "deberta-v2-conv-mlm",
                                        "deberta-v1-seqcls",
                                        "xlm-seqcls"};

TEST_CASE("recorded outputs: fp32 and int8") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("recorded outputs of the families with relative attention", "there is no shared folder");
    return;
  }
  for (const char* name : kCheckpoints) {
    check_recorded_numbers(*shared / "models/tiny" / name);
  }
}

TEST_CASE("recorded inputs: int8 has the same bits in every way of running it") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("bits of the families with relative attention", "there is no shared folder");
    return;
  }
  for (const char* name : kCheckpoints) {
    CAPTURE(name);
    const TemporaryFolder folder;
    copy_without_tokenizer(*shared / "models/tiny" / name, folder / "model");
    check_same_bits(folder / "model", recorded_inputs(*shared / "models/tiny" / name));
  }
}

// ---- Other sizes, against double precision ----

std::vector<IdInput> random_inputs(const std::vector<size_t>& lengths, uint32_t vocabulary) {
  std::mt19937 random(7);
  std::vector<IdInput> inputs;
  for (const size_t length : lengths) {
    inputs.emplace_back();
    for (size_t i = 0; i < length; ++i) {
      inputs.back().ids.push_back(static_cast<int32_t>(random() % vocabulary));
    }
  }
  return inputs;
}

using Reference = Rows (*)(const RandomModel&, const std::vector<int32_t>&);

// fp32 and int8 against the reference, and int8's bits.
void check_model(const RandomModel& model, Reference reference, const std::vector<size_t>& lengths) {
  const std::string config = model.config.dump();
  CAPTURE(config);
  const TemporaryFolder folder;
  model.write(folder / "model");
  const auto inputs = random_inputs(lengths, model.config.at("vocab_size").get<uint32_t>());
  convert_checkpoint(folder / "model", folder / "fp32.kgl", "fp32");
  convert_checkpoint(folder / "model", folder / "int8.kgl", "int8");
  const auto exact = run_ids(folder / "fp32.kgl", inputs, 2, 2), rounded = run_ids(folder / "int8.kgl", inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(inputs[i].ids.size());
    std::vector<double> expected;
    for (const auto& row : reference(model, inputs[i].ids)) {
      expected.insert(expected.end(), row.begin(), row.end());
    }
    REQUIRE(exact[i].at("last_hidden_state").size() == expected.size());
    CHECK(distance(expected, exact[i].at("last_hidden_state").data()) <= 1);
    const std::vector<float> wanted(expected.begin(), expected.end());
    CHECK(cosine(wanted.data(), rounded[i].at("last_hidden_state").data(), wanted.size()) >= 0.99);
  }
  check_same_bits(folder / "model", inputs);
}

TEST_CASE("MPNet: heads of 26, three layers, distances beyond the last bucket") {
  check_model(random_mpnet({}, 1), reference_mpnet, {300, 1, 37});
  check_model(random_mpnet({48, 3, 2, 33, 50, 40}, 2), reference_mpnet, {38, 16});
}

TEST_CASE("ModernBERT: heads of 26, windows in long sequences, with and without biases") {
  check_model(random_modernbert({}, false, 32, 3), reference_modernbert, {310, 1, 17, 64});
  check_model(random_modernbert({48, 3, 4, 33, 50, 150}, true, 7, 4), reference_modernbert, {150, 5});
  check_model(random_modernbert({32, 1, 2, 40, 50, 40}, true, 0, 5), reference_modernbert, {40});
  check_model(random_modernbert({32, 2, 2, 40, 50, 200}, false, 1000, 6), reference_modernbert, {200});
}

TEST_CASE("ModernBERT: the layers that transformers 5 lists") {
  RandomModel model = random_modernbert({}, false, 16, 8);
  const TemporaryFolder folder;
  const auto inputs = random_inputs({100}, 41);
  model.write(folder / "four");
  model.config.erase("global_attn_every_n_layers");
  model.config["layer_types"] = {"full_attention", "sliding_attention", "full_attention"};
  model.config["rope_parameters"] = {{"full_attention", {{"rope_type", "default"}, {"rope_theta", 160000.0}}},
                                     {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 10000.0}}}};
  model.write(folder / "five");
  for (const char* name : {"four", "five"}) {
    convert_checkpoint(folder / name, folder / (std::string(name) + ".kgl"), "int8");
  }
  CHECK(run_ids(folder / "four.kgl", inputs) == run_ids(folder / "five.kgl", inputs));
}

TEST_CASE("DeBERTa v2 and v3: buckets, own and shared keys, one term, convolutions in groups, narrow embeddings") {
  DebertaShape shape;
  shape.positions = 120;
  check_model(random_deberta_v2(shape, 11), reference_deberta, {120, 1, 33});
  shape.shared = shape.normed = false;
  shape.kernel = 5;
  shape.groups = 2;
  shape.embedding = 24;
  shape.types = 2;
  check_model(random_deberta_v2(shape, 12), reference_deberta, {90, 2});
  shape.buckets = 0;
  shape.farthest = 20;
  shape.p2c = false;
  shape.position_biased = true;
  check_model(random_deberta_v2(shape, 13), reference_deberta, {70, 20});
  shape.p2c = true;
  shape.c2p = false;
  shape.buckets = 8;
  shape.farthest = 64;
  check_model(random_deberta_v2(shape, 14), reference_deberta, {100});
}

TEST_CASE("DeBERTa v1: heads of 26, distances beyond the span, one term") {
  DebertaShape shape;
  shape.positions = 80;
  check_model(random_deberta_v1(shape, 21), reference_deberta, {80, 3});
  shape.farthest = 24;
  shape.position_biased = true;
  shape.types = 1;
  check_model(random_deberta_v1(shape, 22), reference_deberta, {80, 24, 25});
  shape.c2p = false;
  check_model(random_deberta_v1(shape, 23), reference_deberta, {40});
}

}  // namespace
}  // namespace kinglet::test

RECORDED_CHILD
