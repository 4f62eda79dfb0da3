// Model files of well-known shapes with random weights.
#include "cli/random_model.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

#include "passes/passes.h"
#include "writer/model_file.h"
#include "writer/output_file.h"

namespace kinglet::cli {

namespace {

using namespace kinglet::convert;

constexpr ModelShape kShapes[] = {
    {"bert-base", 12, 768, 12, 3072, 30522, 512, 2},
    {"distilbert", 6, 768, 12, 3072, 30522, 512, 0},
    {"minilm-l6", 6, 384, 12, 1536, 30522, 512, 2},
    {"bert-tiny", 2, 128, 2, 512, 30522, 512, 2},
};

// Numbers spread evenly over [-largest, largest), by splitmix64 from a seed per row, so that any part can be read
// again.
class RandomSource : public Source {
 public:
  RandomSource(uint64_t seed, uint64_t columns, float largest) : seed_(seed), columns_(columns), largest_(largest) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    for (uint64_t row = first; row < first + count; ++row) {
      uint64_t state = (seed_ << 32) + row * columns_;
      for (uint64_t i = 0; i < columns_; ++i) {
        uint64_t z = ++state * 0x9e3779b97f4a7c15;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        *out++ = largest_ * (static_cast<float>((z ^ (z >> 31)) >> 40) / 8388608.0f - 1.0f);
      }
    }
  }

 private:
  const uint64_t seed_, columns_;
  const float largest_;
};

class Builder {
 public:
  explicit Builder(const ModelShape& shape) : shape_(shape) {}

  ModelIR build() {
    ir_.architecture = "bert";
    ir_.vocabulary = shape_.vocabulary;
    ir_.type_count = std::max(shape_.types, 1u);
    ir_.max_positions = ir_.max_length = shape_.positions;
    ir_.task = fmt::Task::embed;

    std::vector<EmbedTable> tables = {{fmt::EmbedIndex::token, table("word", shape_.vocabulary)},
                                      {fmt::EmbedIndex::position, table("position", shape_.positions)}};
    if (shape_.types > 0) {
      tables.push_back({fmt::EmbedIndex::type, table("type", shape_.types)});
    }
    uint32_t hidden = ir_.embed(std::move(tables), norm("embeddings.norm"));
    for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
      hidden = add_layer("layer." + std::to_string(layer) + ".", hidden);
    }
    ir_.outputs.push_back({"last_hidden_state", hidden});
    ir_.embedding = static_cast<int32_t>(ir_.normalize(ir_.pool(hidden, fmt::PoolKind::mean)));
    return std::move(ir_);
  }

 private:
  uint32_t add_layer(const std::string& name, uint32_t hidden) {
    const uint32_t width = shape_.hidden;
    const uint32_t query = matrix(name + "query", width, width);
    const uint32_t key = matrix(name + "key", width, width);
    const uint32_t value = matrix(name + "value", width, width);
    const uint32_t attended = ir_.attention(hidden, query, key, value, shape_.heads, width / shape_.heads);
    const uint32_t projected = ir_.linear(attended, matrix(name + "output", width, width));
    const uint32_t middle = ir_.add_norm(projected, static_cast<int32_t>(hidden), norm(name + "attention_norm"));
    const uint32_t up = ir_.linear(middle, matrix(name + "up", shape_.intermediate, width), fmt::Activation::gelu);
    const uint32_t down = ir_.linear(up, matrix(name + "down", width, shape_.intermediate));
    return ir_.add_norm(down, static_cast<int32_t>(middle), norm(name + "output_norm"));
  }

  uint32_t random(std::string name, std::vector<uint32_t> shape, float largest) {
    const uint64_t columns = shape.back();
    return ir_.add(Tensor{std::move(name), std::move(shape),
                          std::make_shared<RandomSource>(ir_.tensors.size(), columns, largest)});
  }
  uint32_t constant(std::string name, uint32_t count, float value) {
    return ir_.add(Tensor{std::move(name), {count}, memory_source(std::vector<float>(count, value), count)});
  }
  uint32_t table(const std::string& name, uint32_t rows) {
    return random("embeddings." + name + ".weight", {rows, shape_.hidden}, 1.0f);
  }
  uint32_t matrix(const std::string& name, uint32_t n, uint32_t k) {
    const uint32_t weight = random(name + ".weight", {n, k}, std::sqrt(3.0f / static_cast<float>(k)));
    return ir_.add(Matrix{name, weight, static_cast<int32_t>(constant(name + ".bias", n, 0.01f)), false});
  }
  int32_t norm(const std::string& name) {
    const uint32_t weight = constant(name + ".weight", shape_.hidden, 1.0f);
    const auto bias = static_cast<int32_t>(constant(name + ".bias", shape_.hidden, 0.01f));
    return static_cast<int32_t>(ir_.add(Norm{fmt::NormKind::layer, weight, bias, 1e-12f}));
  }

  const ModelShape& shape_;
  ModelIR ir_;
};

}  // namespace

const ModelShape* find_shape(const std::string& name) {
  const auto* found =
      std::find_if(std::begin(kShapes), std::end(kShapes), [&](const ModelShape& shape) { return name == shape.name; });
  return found == std::end(kShapes) ? nullptr : found;
}

RandomModel::RandomModel(const ModelShape& shape, bool int8)
    : path_(std::filesystem::temp_directory_path() / ("kinglet-bench-" + std::to_string(getpid()) + ".kgl")) {
  ModelIR model = Builder(shape).build();
  if (int8) {
    prepare_attention(model);
    quantize(model, {});
  }
  OutputFile file(path_);
  write_model(model, nullptr, {int8 ? "int8" : "fp32", "random weights"}, file, [](const std::string&, double) {});
}

RandomModel::~RandomModel() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace kinglet::cli
