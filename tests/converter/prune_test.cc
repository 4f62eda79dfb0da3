// Structured pruning: gradients against finite differences, products and equations against plain loops, a pruned
// checkpoint against the dense one with masks, budgets and refusals.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <tuple>

#include "error.h"
#include "prune/budget.h"
#include "prune/importance.h"
#include "prune/prune.h"
#include "prune/reconstruct.h"
#include "prune_fixtures.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;
namespace fs = std::filesystem;

// The network with the mask of some columns of a matrix at `mask` instead of 1.
Network masked(const Network& network, uint32_t matrix, size_t first, size_t count, float mask) {
  Network changed = network;
  std::vector<float> weight = network.weight(matrix);
  const std::vector<float> bias = network.bias(matrix);
  const size_t columns = weight.size() / bias.size();
  for (size_t row = 0; row < bias.size(); ++row) {
    for (size_t j = first; j < first + count; ++j) {
      weight[row * columns + j] *= mask;
    }
  }
  changed.set_matrix(matrix, static_cast<uint32_t>(bias.size()), static_cast<uint32_t>(columns), weight, bias);
  return changed;
}

// The gradients of masks on the parts of a value, `size` columns each: Σ over the tokens of value·gradient.
std::vector<double> mask_gradients(const Network& network, const Tape& tape, uint32_t value, size_t size) {
  const size_t width = network.model().values[value].width;
  std::vector<double> masks(width / size);
  for (size_t i = 0; i < tape.values[value].size(); ++i) {
    masks[i % width / size] +=
        static_cast<double>(tape.values[value][i]) * static_cast<double>(tape.gradients[value][i]);
  }
  return masks;
}

TEST_CASE("gradients of masks are what finite differences give") {
  for (const char* name : {"bert", "bert-ner", "bert-pretraining", "bert-seqcls"}) {
    CAPTURE(name);
    const ModelIR model = load(tiny() / name);
    const Network network(model);
    const std::vector<EncoderLayer> layers = find_layers(model);
    const Objective objective = objective_of(model);
    const Tokens tokens = random_tokens({7}, 1);
    Tape tape = network.tape(tokens, 0, 1, true);
    network.forward(tape, 0, model.program.size());
    seed_gradients(network, objective, 1, tape);
    const std::vector<float> r = tape.gradients[objective.value];
    network.backward(tape, layers.front().op, model.program.size());
    const auto slope = [&](uint32_t matrix, size_t first, size_t count) {
      constexpr float kStep = 1.0f / 256;
      const std::vector<float> more = run(masked(network, matrix, first, count, 1 + kStep), tokens, objective.value);
      const std::vector<float> less = run(masked(network, matrix, first, count, 1 - kStep), tokens, objective.value);
      double sum = 0;
      for (size_t i = 0; i < r.size(); ++i) {
        sum += static_cast<double>(r[i]) * static_cast<double>(more[i] - less[i]);
      }
      return sum / (2 * kStep);
    };
    for (size_t i = 0; i < layers.size(); ++i) {
      const EncoderLayer& layer = layers[i];
      const std::vector<double> heads = mask_gradients(network, tape, layer.attended, layer.head_dim);
      const std::vector<double> neurons = mask_gradients(network, tape, layer.activated, 1);
      for (uint32_t head = 0; head < layer.heads; ++head) {
        CHECK(std::abs(heads[head]) ==
              doctest::Approx(std::abs(slope(layer.output, head * layer.head_dim, layer.head_dim))).epsilon(0.02));
      }
      for (uint32_t neuron = 0; neuron < layer.neurons; neuron += 37) {
        const double expected = std::abs(slope(layer.down, neuron, 1));
        CHECK(std::abs(std::abs(neurons[neuron]) - expected) < 0.02 * expected + 2e-3);
      }
    }
  }
}

TEST_CASE("the importance of every token is the squared gradient, however the texts are divided") {
  const ModelIR model = load(tiny() / "bert-seqcls");
  const Network network(model);
  const std::vector<EncoderLayer> layers = find_layers(model);
  const Objective objective = objective_of(model);
  const Tokens tokens = random_tokens({7, 3, 60, 60, 60, 60, 30, 60, 1}, 2);
  const auto nothing = [](double) {};
  const Importance one = measure_importance(network, layers, tokens, objective, 5, 1, nothing);
  const Importance two = measure_importance(network, layers, tokens, objective, 5, 2, nothing);
  Tape tape = network.tape(tokens, 0, 1, true);
  network.forward(tape, 0, model.program.size());
  seed_gradients(network, objective, 5, tape);
  network.backward(tape, layers.front().op, model.program.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const auto& [branch, again, op] : {std::tuple(one.attention[i], two.attention[i], layers[i].op + 1),
                                            std::tuple(one.feed_forward[i], two.feed_forward[i], layers[i].op + 4)}) {
      REQUIRE(branch.tokens.size() == tokens.ids.size());
      CHECK(branch.tokens == again.tokens);
      CHECK(branch.outputs == again.outputs);
      const uint32_t value = std::get<LinearOp>(model.program[op]).out;
      const size_t hidden = model.values[value].width;
      double all = 0, trace = 0;
      for (size_t token = 0; token < branch.tokens.size(); ++token) {
        all += static_cast<double>(branch.tokens[token]);
      }
      for (size_t j = 0; j < hidden; ++j) {
        trace += branch.outputs[j * hidden + j];
      }
      CHECK(trace == doctest::Approx(all).epsilon(1e-5));
      CHECK(all > 0);
      for (size_t token = 0; token < 7; ++token) {
        double sum = 0;
        for (size_t j = 0; j < hidden; ++j) {
          sum += std::pow(static_cast<double>(tape.gradients[value][token * hidden + j]), 2);
        }
        CHECK(static_cast<double>(branch.tokens[token]) == doctest::Approx(sum).epsilon(1e-4));
      }
    }
  }
}

TEST_CASE("products are those of plain loops, whatever the sizes and the number of threads") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const auto& [m, n, k] : {std::tuple<size_t, size_t, size_t>{1, 1, 1}, {9, 33, 300}, {70, 96, 17}}) {
    std::vector<float> a(m * k), b(k * n), c(m * n);
    std::generate(a.begin(), a.end(), [&] { return normal(random); });
    std::generate(b.begin(), b.end(), [&] { return normal(random); });
    multiply({a.data(), k, 1}, m, PackedMatrix({b.data(), n, 1}, k, n), c.data(), n);
    std::vector<double> gram(m * m), again(m * m);  // of aᵀ's rows
    std::vector<float> turned(k * m);
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < k; ++j) {
        turned[j * m + i] = a[i * k + j];
      }
    }
    add_gram(turned.data(), k, m, gram.data(), 1);
    add_gram(turned.data(), k, m, again.data(), 3);
    CHECK(gram == again);
    for (size_t i = 0; i < m; ++i) {
      for (size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (size_t l = 0; l < k; ++l) {
          sum += static_cast<double>(a[i * k + l]) * static_cast<double>(b[l * n + j]);
        }
        REQUIRE(std::abs(sum - static_cast<double>(c[i * n + j])) < 1e-4 * static_cast<double>(k));
      }
      double square = 0;
      for (size_t l = 0; l < k; ++l) {
        square += static_cast<double>(a[i * k + l]) * static_cast<double>(a[i * k + l]);
      }
      REQUIRE(gram[i * m + i] == doctest::Approx(square).epsilon(1e-5));
    }
  }
}

TEST_CASE("the first inputs to go are those that others can replace, and the error is that of the solution") {
  // Inputs 0 and 3 carry the same; y = 2·a0 + a1 + 0.1·a2 + a3 + 1.
  constexpr size_t kRows = 200, kInputs = 4;
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> inputs, targets;
  for (size_t i = 0; i < kRows; ++i) {
    const float a0 = normal(random), a1 = normal(random), a2 = normal(random);
    inputs.insert(inputs.end(), {a0, a1, a2, a0, 1});
    targets.push_back(2 * a0 + a1 + 0.1f * a2 + a0 + 1);
  }
  NormalEquations equations(kInputs + 1, 1);
  add_gram(inputs.data(), kRows, kInputs + 1, equations.gram.data(), 1);
  add_cross(inputs.data(), kInputs + 1, targets.data(), 1, kRows, equations.cross.data(), 1);
  add_ridge(equations, {2, 1, 0.1f, 1}, {1}, 1e-6);
  const Removal removal = order_inputs(equations, {1}, 1);
  REQUIRE(removal.groups.size() == kInputs);
  CHECK((removal.groups[0][0] == 0 || removal.groups[0][0] == 3));
  CHECK(removal.groups[1][0] == 2);
  CHECK(removal.errors[0] < 0.01);
  const Solution solution = solve_kept(equations, {1, 3});
  CHECK(solution.weight[0] == doctest::Approx(1).epsilon(0.02));
  CHECK(solution.weight[1] == doctest::Approx(3).epsilon(0.02));
  double error = 0;
  for (size_t i = 0; i < kRows; ++i) {
    const float predicted =
        solution.weight[0] * inputs[i * 5 + 1] + solution.weight[1] * inputs[i * 5 + 3] + solution.bias[0];
    error += std::pow(static_cast<double>(predicted - targets[i]), 2);
  }
  CHECK(removal.errors[1] == doctest::Approx(error).epsilon(0.02));
}

TEST_CASE("a pruned checkpoint computes what the dense one does with masks and the new weights") {
  const TemporaryFolder folder;
  const PruneOptions options = half_of(tiny() / "bert-seqcls", folder);
  const PruneResult result = prune(options);
  CHECK(result.operations <= 0.5);
  CHECK(result.operations > 0.4);
  const ModelIR small = load(options.output), large = load(options.source);
  const std::vector<EncoderLayer> small_layers = find_layers(small), layers = find_layers(large);
  const Network pruned(small);
  Network dense(large);
  REQUIRE(result.layers.size() == layers.size());
  for (size_t i = 0; i < layers.size(); ++i) {
    const EncoderLayer &thin = small_layers[i], &layer = layers[i];
    CHECK(thin.neurons == result.layers[i].neurons_kept);
    CHECK(thin.neurons % 16 == 0);
    const size_t size = layer.head_dim, hidden = large.values[layer.in].width;
    // The kept heads' columns of the output projection, the others' zeros.
    std::vector<float> output(hidden * layer.heads * size);
    size_t kept = 0;
    for (uint32_t head = 0; head < layer.heads; ++head) {
      if (!result.layers[i].heads[head]) {
        continue;
      }
      for (size_t row = 0; row < hidden; ++row) {
        std::copy_n(&pruned.weight(thin.output)[(row * thin.heads + kept) * size], size,
                    &output[(row * layer.heads + head) * size]);
      }
      ++kept;
    }
    CHECK(kept == thin.heads);
    dense.set_matrix(layer.output, static_cast<uint32_t>(hidden), static_cast<uint32_t>(layer.heads * size), output,
                     pruned.bias(thin.output));
    dense.set_matrix(layer.up, thin.neurons, static_cast<uint32_t>(hidden), pruned.weight(thin.up),
                     pruned.bias(thin.up));
    dense.set_matrix(layer.down, static_cast<uint32_t>(hidden), thin.neurons, pruned.weight(thin.down),
                     pruned.bias(thin.down));
  }
  const Tokens tokens = random_tokens({9, 3, 20}, 7);
  const auto logits = static_cast<uint32_t>(large.logits);
  const std::vector<float> expected = run(dense, tokens, logits), found = run(pruned, tokens, logits);
  REQUIRE(expected.size() == found.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    CHECK(std::abs(expected[i] - found[i]) < 1e-4f);
  }

  // The door that everything goes through; the file checks itself when it is written.
  for (const char* precision : {"fp32", "int8"}) {
    ConvertOptions conversion;
    conversion.source = options.output;
    conversion.output = folder / "out.kgl";
    conversion.precision = precision;
    CHECK(convert_error(conversion) == "");
  }

  // The same again, whatever the number of threads; and a second time over.
  PruneOptions again = options;
  again.output = folder / "again";
  again.threads = 1;
  prune(again);
  CHECK(read_file(again.output / "model.safetensors") == read_file(options.output / "model.safetensors"));
  CHECK(read_file(again.output / "config.json") == read_file(options.output / "config.json"));
  again.source = options.output;
  again.output = folder / "twice";
  again.target = 0.8;
  CHECK(prune(again).operations <= 0.8);
  load(again.output);
}

TEST_CASE("pruning refuses what it cannot do, and leaves nothing") {
  const TemporaryFolder folder;
  const auto message = [&](PruneOptions options) {
    try {
      prune(options);
    } catch (const convert::Error& error) {
      CHECK_FALSE(fs::exists(folder / "out"));
      return std::string(error.what());
    }
    return std::string();
  };
  const PruneOptions good = half_of(tiny() / "bert-seqcls", folder);
  PruneOptions options = good;
  options.target = 0.01;
  CHECK(message(options).find("target is too small") != std::string::npos);
  options = good;
  options.data = folder / "none.tsv";
  CHECK(message(options).find("none.tsv") != std::string::npos);
  options = good;
  write_file(folder / "empty.txt", "\n");
  options.data = folder / "empty.txt";
  CHECK(message(options).find("no texts") != std::string::npos);

  for (const uint32_t layers : {0u, 2u, 7u}) {
    options = good;
    options.layers = layers;
    CHECK(message(options) ==
          "the model has 2 layers: " + std::to_string(layers) + " of them cannot be kept, expected 1 to 1");
  }
  options = good;
  options.layers = 1;
  options.target = 0.7;
  CHECK(message(options).find("1 layers that stay are 50 %") != std::string::npos);
  ModelIR other = load(tiny() / "bert-seqcls");
  other.architecture = "albert";
  CHECK_THROWS_WITH_AS(find_layers(other), doctest::Contains("\"albert\" cannot be pruned"), convert::Error);
}

TEST_CASE("widths of layers: read from the config, checked against the tensors, refused where they are not") {
  const TemporaryFolder folder;
  BertShape shape;
  shape.layers = 2;
  Tensors tensors = random_bert(shape, 1);
  const std::string layer = "encoder.layer.1.";
  tensors[layer + "intermediate.dense.weight"].shape[0] = 32;
  tensors[layer + "intermediate.dense.weight"].values.resize(32 * shape.hidden);
  tensors[layer + "intermediate.dense.bias"].shape[0] = 32;
  tensors[layer + "intermediate.dense.bias"].values.resize(32);
  tensors[layer + "output.dense.weight"].shape[1] = 32;
  tensors[layer + "output.dense.weight"].values.resize(32 * shape.hidden);
  write_bert(folder / "m", shape, tensors, "BertModel");
  const auto error = [&](const Json& sizes, const char* type = "bert") {
    edit_json(folder / "m/config.json", [&](Json& json) {
      json["kinglet_intermediate_sizes"] = sizes;
      json["model_type"] = type;
    });
    return convert_error(folder / "m");
  };
  CHECK(error({48, 32}) == "");
  CHECK(error({32, 48}).find("intermediate.dense.weight") != std::string::npos);
  CHECK(error({48}).find("not a list of 2 numbers") != std::string::npos);
  CHECK(error({48, 0}).find("holds 0") != std::string::npos);
  CHECK(error("48").find("not a list") != std::string::npos);
  for (const char* type : {"albert", "deberta-v2", "mobilebert", "modernbert", "xlm"}) {
    CHECK(error({48, 32}, type).find("kinglet_intermediate_sizes") != std::string::npos);
  }
}

}  // namespace
}  // namespace kinglet::test
