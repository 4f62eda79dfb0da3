// Whole layers, and a vocabulary in the same run: which layers go, the program and the folder without them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "prune/depth.h"
#include "prune_fixtures.h"
#include "support/paths.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;
namespace fs = std::filesystem;

TEST_CASE("divergences are those of their definitions, and nothing at the same outputs") {
  const ModelIR model = load(tiny() / "bert-seqcls");
  const Network network(model);
  const Tokens tokens = random_tokens({4, 6}, 3);
  Tape tape = network.tape(tokens, 0, 2, false);
  network.forward(tape, 0, model.program.size());
  const auto logits = static_cast<uint32_t>(model.logits);
  const size_t width = model.values[logits].width;
  const std::vector<float> exact = tape.values[logits];
  for (const Loss loss : {Loss::softmax, Loss::sigmoid, Loss::squared, Loss::softmax_text}) {
    CHECK(divergence(network, {loss, logits}, exact, tape) == 0);
  }
  for (float& x : tape.values[logits]) {
    x = 0;
  }
  double softmax = 0, squared = 0;
  for (size_t row = 0; row < 2; ++row) {
    double sum = 0;
    for (size_t j = 0; j < width; ++j) {
      sum += std::exp(static_cast<double>(exact[row * width + j]));
    }
    for (size_t j = 0; j < width; ++j) {
      const double x = static_cast<double>(exact[row * width + j]), p = std::exp(x) / sum;
      softmax += p * std::log(p * static_cast<double>(width));
      squared += x * x / 2;
    }
  }
  CHECK(divergence(network, {Loss::softmax, logits}, exact, tape) == doctest::Approx(softmax));
  CHECK(divergence(network, {Loss::squared, logits}, exact, tape) == doctest::Approx(squared));
}

// A random BERT of some layers, of which `idle` add next to nothing to what passes them.
BertShape write_deep(const fs::path& place, uint32_t count, const std::vector<uint32_t>& idle) {
  BertShape shape;
  shape.layers = count;
  Tensors tensors = random_bert(shape, 4);
  for (const uint32_t layer : idle) {
    for (const char* part : {"attention.output.dense", "output.dense"}) {
      for (const char* kind : {".weight", ".bias"}) {
        for (float& x : tensors["encoder.layer." + std::to_string(layer) + "." + part + kind].values) {
          x *= 1e-3f;
        }
      }
    }
    for (const char* norm : {"attention.output.LayerNorm", "output.LayerNorm"}) {
      const std::string name = "encoder.layer." + std::to_string(layer) + "." + norm;
      std::fill(tensors[name + ".weight"].values.begin(), tensors[name + ".weight"].values.end(), 1.0f);
      std::fill(tensors[name + ".bias"].values.begin(), tensors[name + ".bias"].values.end(), 0.0f);
    }
  }
  write_bert(place, shape, tensors, "BertModel");
  return shape;
}

TEST_CASE("the layers to go are those that the outputs miss least, one after the other") {
  const TemporaryFolder folder;
  write_deep(folder / "deep", 5, {1, 3});
  const ModelIR model = load(folder / "deep");
  const Network network(model);
  const std::vector<EncoderLayer> layers = find_layers(model);
  Tokens tokens = random_tokens({9, 5, 20, 12}, 11);
  for (int32_t& id : tokens.ids) {
    id %= static_cast<int32_t>(model.vocabulary);
  }
  std::fill(tokens.types.begin(), tokens.types.end(), 0);
  const auto choose = [&](uint32_t keep, size_t threads) {
    return choose_layers(network, layers, tokens, objective_of(model), keep, threads, [](double) {});
  };
  CHECK(choose(3, 1) == std::vector<bool>{true, false, true, false, true});
  CHECK(choose(3, 3) == choose(3, 1));
  const std::vector<bool> two = choose(2, 1);
  CHECK(std::count(two.begin(), two.end(), true) == 2);
  CHECK_FALSE((two[1] || two[3]));

  // The program without them computes what skipping them computes.
  const Network shorter(without_layers(model, layers, {true, false, true, false, true}));
  CHECK(find_layers(shorter.model()).size() == 3);
  Tape skipped = network.tape(tokens, 0, tokens.texts(), false);
  for (size_t op = 0; op < model.program.size(); ++op) {
    if (op == layers[1].op || op == layers[3].op) {
      const EncoderLayer& gone = layers[op == layers[1].op ? 1 : 3];
      skipped.values[gone.out] = skipped.values[gone.in];
      op += kLayerOps - 1;
      continue;
    }
    network.forward(skipped, op, op + 1);
  }
  REQUIRE(shorter.model().outputs.size() == model.outputs.size());
  CHECK(run(shorter, tokens, shorter.model().outputs[0].value) == skipped.values[model.outputs[0].value]);
}

TEST_CASE("without layers: alone, with a target, and the names and numbers of the folder") {
  const TemporaryFolder folder;
  std::vector<fs::path> sources = {tiny() / "bert-seqcls"};
  if (const auto shared = shared_folder()) {
    for (const char* name : {"distilbert-seqcls", "electra-discriminator", "mpnet", "roberta-ner", "xlmr-seqcls"}) {
      sources.push_back(*shared / "models/tiny" / name);
    }
  } else {
    skipped("pruning layers of other families", "KINGLET_SHARED names no folder");
  }
  for (const fs::path& source : sources) {
    CAPTURE(source);
    PruneOptions options = half_of(source, folder);
    options.output = folder / "layers";
    options.target.reset();
    options.layers = 1;
    const PruneResult result = prune(options);
    const ModelIR large = load(options.source), small = load(options.output);
    const std::vector<EncoderLayer> layers = find_layers(large);
    REQUIRE(find_layers(small).size() == 1);
    CHECK(find_layers(small)[0].neurons == layers[0].neurons);
    CHECK(result.operations == doctest::Approx(1.0 / static_cast<double>(layers.size())));
    size_t removed = 0;
    for (const PrunedLayer& layer : result.layers) {
      removed += layer.removed ? 1 : 0;
    }
    CHECK(removed == layers.size() - 1);
    const Json config = parse_json(read_file(options.output / "config.json"), "config.json");
    CHECK(config.contains("kinglet_intermediate_sizes") == false);
    CHECK(config.value("pruned_heads", Json::object()).empty());
    ConvertOptions conversion;
    conversion.source = options.output;
    conversion.output = folder / "out.kgl";
    CHECK(convert_error(conversion) == "");

    options.target = 0.3;
    options.output = folder / "both";
    const PruneResult both = prune(options);
    CHECK(both.operations <= 0.3);
    CHECK(both.operations > 0.2);
    CHECK(find_layers(load(options.output)).size() == 1);
  }
}

TEST_CASE("a vocabulary and a target in one run give the files of two runs") {
  const TemporaryFolder folder;
  PruneOptions options = half_of(tiny() / "bert-seqcls", folder);
  write_file(folder / "words.txt", "the film number is good\nwas bad and far too long\n");
  options.vocabulary = folder / "words.txt";
  const PruneResult result = prune(options);
  REQUIRE(result.vocabulary);
  CHECK(result.vocabulary->after < result.vocabulary->before);
  PruneOptions first;
  first.source = options.source;
  first.output = folder / "first";
  first.vocabulary = options.vocabulary;
  CHECK(prune(first).layers.empty());
  PruneOptions second = options;
  second.source = first.output;
  second.output = folder / "second";
  second.vocabulary.clear();
  prune(second);
  size_t files = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(second.output)) {
    const fs::path name = file.path().filename();
    if (name == "kinglet.json") {  // its source differs
      const auto passes = [&](const fs::path& out) {
        return parse_json(read_file(out / name), "kinglet.json")["passes"];
      };
      CHECK(passes(options.output) == passes(second.output));
      CHECK(passes(options.output).size() == 2);
      continue;
    }
    CAPTURE(name);
    CHECK(read_file(options.output / name) == read_file(file.path()));
    ++files;
  }
  CHECK(files > 2);
  CHECK(load(options.output).vocabulary == result.vocabulary->after);
  for (const fs::directory_entry& file : fs::directory_iterator(fs::path(folder / "out").parent_path())) {
    CHECK_FALSE(file.path().filename().string().starts_with(".kinglet-"));
  }
}

}  // namespace
}  // namespace kinglet::test
