// MobileBERT in sizes and with switches that no recorded checkpoint has, against a double-precision one.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "fixtures.h"
#include "recorded.h"
#include "reference_bert.h"
#include "support/paths.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

struct Shape {
  uint32_t hidden, width, embedding, intermediate, heads, layers, feed_forwards;
  bool trigram, bottleneck, attention_in_bottleneck, shared, layer_norm;
};

constexpr uint32_t kVocabulary = 41, kPositions = 17;
const std::vector<int32_t> kIds = {3, 17, 0, 39, 40, 5, 5, 11, 30, 8, 2};
const std::vector<int32_t> kTypes = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1};

Json config_of(const Shape& shape) {
  return {{"model_type", "mobilebert"},
          {"architectures", {"MobileBertModel"}},
          {"hidden_size", shape.hidden},
          {"intra_bottleneck_size", shape.bottleneck ? shape.width : 9},
          {"embedding_size", shape.embedding},
          {"intermediate_size", shape.intermediate},
          {"num_attention_heads", shape.heads},
          {"num_hidden_layers", shape.layers},
          {"num_feedforward_networks", shape.feed_forwards},
          {"trigram_input", shape.trigram},
          {"use_bottleneck", shape.bottleneck},
          {"use_bottleneck_attention", shape.attention_in_bottleneck},
          {"key_query_shared_bottleneck", shape.shared},
          {"normalization_type", shape.layer_norm ? "layer_norm" : "no_norm"},
          {"classifier_activation", false},
          {"vocab_size", kVocabulary},
          {"max_position_embeddings", kPositions}};
}

// Random tensors, made when they are first asked for by the reference.
class Random {
 public:
  explicit Random(uint32_t seed) : random_(seed) {}

  void linear(const std::string& name, size_t rows, size_t columns) {
    fill(name + ".weight", {rows, columns}, 0, 1 / std::sqrt(static_cast<float>(columns)));
    fill(name + ".bias", {rows}, 0, 0.3f);
  }
  // Small, so that norms that do not normalise keep the numbers near 1.
  void norm(const std::string& name, size_t width) {
    fill(name + ".weight", {width}, 0.7f, 0.1f);
    fill(name + ".bias", {width}, 0, 0.2f);
  }
  void table(const std::string& name, size_t rows, size_t columns) { fill(name + ".weight", {rows, columns}, 0, 0.7f); }

  Tensors tensors;

 private:
  void fill(const std::string& name, std::vector<size_t> shape, float mean, float deviation) {
    std::normal_distribution<float> normal(mean, deviation);
    RandomTensor& tensor = tensors[name];
    size_t count = 1;
    for (const size_t dimension : shape) {
      tensor.shape.push_back(static_cast<uint32_t>(dimension));
      count *= dimension;
    }
    for (size_t i = 0; i < count; ++i) {
      tensor.values.push_back(normal(random_));
    }
  }

  std::mt19937 random_;
};

// modeling_mobilebert.py, making the weights on its way.
class Reference {
 public:
  Reference(const Shape& shape, Random& random) : shape_(shape), random_(random) {}

  Matrix run() {
    Matrix x = embed();
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      x = run_layer(x, "encoder.layer." + std::to_string(layer) + ".");
    }
    return x;
  }

 private:
  Matrix linear(const std::string& name, const Matrix& x, size_t rows) {
    random_.linear(name, rows, x[0].size());
    return apply_linear(random_.tensors, name, x);
  }

  Matrix norm(const std::string& name, Matrix x, double epsilon = 1e-12) {
    random_.norm(name, x[0].size());
    if (shape_.layer_norm) {
      return layer_norm(random_.tensors, name, std::move(x), epsilon);
    }
    for (auto& row : x) {
      for (size_t j = 0; j < row.size(); ++j) {
        row[j] = row[j] * random_.tensors.at(name + ".weight").values[j] + random_.tensors.at(name + ".bias").values[j];
      }
    }
    return x;
  }

  Matrix lookup(const std::string& name, const std::vector<int32_t>& rows, uint32_t count, uint32_t width) {
    random_.table("embeddings." + name, count, width);
    const auto& values = random_.tensors.at("embeddings." + name + ".weight").values;
    Matrix out;
    for (const int32_t row : rows) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(static_cast<size_t>(row) * width);
      out.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(width));
    }
    return out;
  }

  Matrix embed() {
    std::vector<int32_t> places(kIds.size());
    for (size_t i = 0; i < places.size(); ++i) {
      places[i] = static_cast<int32_t>(i);
    }
    const Matrix words = lookup("word_embeddings", kIds, kVocabulary, shape_.embedding);
    const std::vector<double> nothing(shape_.embedding);
    Matrix x = words;
    if (shape_.trigram) {
      for (size_t i = 0; i < x.size(); ++i) {
        const auto& next = i + 1 < words.size() ? words[i + 1] : nothing;
        const auto& previous = i > 0 ? words[i - 1] : nothing;
        x[i] = next;
        x[i].insert(x[i].end(), words[i].begin(), words[i].end());
        x[i].insert(x[i].end(), previous.begin(), previous.end());
      }
    }
    if (shape_.trigram || shape_.embedding != shape_.hidden) {
      x = linear("embeddings.embedding_transformation", x, shape_.hidden);
    } else {
      random_.linear("embeddings.embedding_transformation", shape_.hidden, shape_.embedding);
    }
    x = add_rows(x, lookup("position_embeddings", places, kPositions, shape_.hidden));
    x = add_rows(x, lookup("token_type_embeddings", kTypes, 2, shape_.hidden));
    return norm("embeddings.LayerNorm", x, 1e-5);
  }

  Matrix feed_forward(const Matrix& x, const std::string& name, double epsilon) {
    Matrix up = linear(name + "intermediate.dense", x, shape_.intermediate);
    for (auto& row : up) {
      std::for_each(row.begin(), row.end(), [](double& value) { value = std::max(value, 0.0); });
    }
    return norm(name + "output.LayerNorm", add_rows(linear(name + "output.dense", up, shape_.width), x), epsilon);
  }

  Matrix run_layer(const Matrix& hidden, const std::string& name) {
    Matrix keys = hidden, values = hidden, narrow = hidden;
    if (shape_.bottleneck) {
      const std::string bottleneck = name + "bottleneck.";
      narrow = norm(bottleneck + "input.LayerNorm", linear(bottleneck + "input.dense", hidden, shape_.width));
      Matrix shared = hidden;
      if (shape_.shared) {
        shared = norm(bottleneck + "attention.LayerNorm", linear(bottleneck + "attention.dense", hidden, shape_.width));
      }
      keys = shape_.attention_in_bottleneck ? narrow : shared;
      values = shape_.attention_in_bottleneck ? narrow : hidden;
    }
    const std::string self = name + "attention.self.", output = name + "attention.output.";
    const Matrix attended = attend(linear(self + "query", keys, shape_.width), linear(self + "key", keys, shape_.width),
                                   linear(self + "value", values, shape_.width), shape_.heads);
    Matrix x = norm(output + "LayerNorm", add_rows(linear(output + "dense", attended, shape_.width), narrow));
    for (uint32_t i = 0; i + 1 < shape_.feed_forwards; ++i) {
      x = feed_forward(x, name + "ffn." + std::to_string(i) + ".", 1e-12);
    }
    x = feed_forward(x, name, 1e-5);
    if (shape_.bottleneck) {
      const std::string bottleneck = name + "output.bottleneck.";
      x = norm(bottleneck + "LayerNorm", add_rows(linear(bottleneck + "dense", x, shape_.hidden), hidden));
    }
    return x;
  }

  const Shape& shape_;
  Random& random_;
};

void check(const Shape& shape) {
  const uint32_t seed = shape.hidden;
  CAPTURE(seed);
  Random random(seed);
  const Matrix rows = Reference(shape, random).run();
  std::vector<double> expected;
  for (const auto& row : rows) {
    expected.insert(expected.end(), row.begin(), row.end());
  }
  const TemporaryFolder folder, out;
  write_file(folder / "config.json", config_of(shape).dump());
  write_safetensors(folder / "model.safetensors", random.tensors);
  for (const char* precision : {"fp32", "int8"}) {
    CAPTURE(precision);
    convert_checkpoint(folder.path(), out / "m.kgl", precision);
    OpenSession open(out / "m.kgl", raw_outputs());
    const auto outputs = run_ids(open, kIds, kTypes);
    const auto& actual = outputs.at("last_hidden_state");
    REQUIRE(actual.size() == expected.size());
    if (std::string(precision) == "fp32") {
      CHECK(distance(expected, actual.data()) <= 1);
    } else {
      const std::vector<float> rounded(expected.begin(), expected.end());
      CHECK(cosine(rounded.data(), actual.data(), actual.size()) >= 0.985);
    }
    // Without a pooler, the first token's vector is what pooling gives.
    CHECK(outputs.at("pooler_output") == std::vector<float>(actual.begin(), actual.begin() + shape.hidden));
  }
}

TEST_CASE("MobileBERT of other sizes: heads of 26, three layers, widths that fit no tile") {
  check({61, 52, 19, 33, 2, 3, 2, true, true, false, true, false});
}

TEST_CASE("MobileBERT with its attention inside the bottleneck, and real norms") {
  check({48, 21, 40, 17, 3, 2, 1, true, true, true, true, true});
  check({47, 21, 40, 17, 3, 2, 3, false, true, true, false, true});
}

TEST_CASE("MobileBERT without bottlenecks, without neighbours, with and without a transformation") {
  check({28, 28, 11, 40, 2, 2, 2, false, false, false, true, true});
  check({30, 30, 30, 40, 2, 2, 1, false, false, false, false, false});
  check({34, 34, 34, 40, 2, 1, 2, true, true, false, false, false});
}

TEST_CASE("a token's neighbours are those of its own sequence, in any batch") {
  const Shape shape = {61, 52, 19, 33, 2, 2, 2, true, true, false, true, false};
  Random random(7);
  Reference(shape, random).run();
  const TemporaryFolder folder, out;
  write_file(folder / "config.json", config_of(shape).dump());
  write_safetensors(folder / "model.safetensors", random.tensors);
  convert_checkpoint(folder.path(), out / "m.kgl", "int8");
  kinglet_session_options options = raw_outputs();
  options.batch = 4;
  options.threads = 2;
  OpenSession open(out / "m.kgl", options);
  std::vector<kinglet_input> inputs;
  for (const size_t count : {3u, 1u, 11u, 6u}) {
    inputs.emplace_back();
    inputs.back().ids = kIds.data();
    inputs.back().id_count = count;
  }
  const auto together = encode_all(open, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) {
    CAPTURE(i);
    CHECK(encode_all(open, {inputs[i]}).front() == together[i]);
  }
  CHECK(std::equal(together[0].begin(), together[0].begin() + shape.hidden, together[3].begin()) == false);
}

TEST_CASE("MobileBERT refuses what does not fit together, by name") {
  const Shape shape = {48, 21, 19, 17, 3, 1, 2, true, true, false, true, false};
  Random random(1);
  Reference(shape, random).run();
  const TemporaryFolder folder;
  write_safetensors(folder / "model.safetensors", random.tensors);
  const auto refusal = [&](const char* field, const Json& value) {
    Json config = config_of(shape);
    config[field] = value;
    write_file(folder / "config.json", config.dump());
    return convert_error(folder.path());
  };
  CHECK(refusal("trigram_input", true) == "");
  const std::pair<const char*, Json> fields[] = {{"normalization_type", "rms_norm"},
                                                 {"key_query_shared_bottleneck", false},
                                                 {"num_attention_heads", 4},
                                                 {"pruned_heads", {{"0", {1}}}},
                                                 {"is_decoder", true},
                                                 {"trigram_input", "yes"}};
  for (const auto& [field, value] : fields) {
    const std::string message = refusal(field, value);
    INFO("message: ", message);
    CHECK(message.find(field) != std::string::npos);
  }
  CHECK(refusal("trigram_input", false).find("embedding_transformation") != std::string::npos);
}

}  // namespace
}  // namespace kinglet::test
