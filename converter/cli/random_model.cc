// Model files of well-known shapes with random weights.
#include "cli/random_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <new>
#include <vector>

#include "format/checksum.h"
#include "format/header.h"
#include "model_generated.h"

namespace kinglet::cli {

namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr ModelShape kShapes[] = {
    {"bert-base", 12, 768, 12, 3072, 30522, 512, 2},
    {"distilbert", 6, 768, 12, 3072, 30522, 512, 0},
    {"minilm-l6", 6, 384, 12, 1536, 30522, 512, 2},
    {"bert-tiny", 2, 128, 2, 512, 30522, 512, 2},
};

constexpr double kLog2E = 1.4426950408889634;
constexpr float kByteDeviation = 73.3f;  // of whole numbers spread evenly over [-127, 127]

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// splitmix64: fast, and the same everywhere.
class Random {
 public:
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  void bytes(int8_t* out, uint64_t count) {  // in [-127, 127]
    for (uint64_t i = 0; i < count; i += 8) {
      const uint64_t word = next();
      for (uint64_t j = i; j < std::min(i + 8, count); ++j) {
        const auto byte = static_cast<int8_t>(word >> (8 * (j - i)));
        out[j] = byte == -128 ? int8_t{-127} : byte;
      }
    }
  }
  float uniform() { return static_cast<float>(next() >> 40) / 16777216.0f * 2 - 1; }  // in [-1, 1)

 private:
  uint64_t state_ = 1;
};

enum class Fill { kWeight, kTable, kColumnSum, kConstant };

struct TensorPlan {
  std::string name;
  fmt::DType type;
  fmt::Layout layout;
  std::vector<uint32_t> shape;
  Fill fill;
  float value;      // kConstant: the number; fp32 kWeight and kTable: the largest
  uint32_t source;  // kColumnSum: the weight's id
  uint64_t offset, bytes;
};

struct MatrixPlan {
  uint32_t weight;
  int32_t scale, column_sum, bias;
};

class Planner {
 public:
  Planner(const ModelShape& shape, bool int8) : shape_(shape), int8_(int8) { plan(); }
  ModelBytes build() const;

 private:
  uint32_t tensor(std::string name, fmt::DType type, fmt::Layout layout, std::vector<uint32_t> extents, Fill fill,
                  float value, uint32_t source = 0) {
    uint64_t bytes = type == fmt::DType::s8 ? 1 : 4;
    for (const uint32_t extent : extents) {
      bytes *= extent;  // all matrices here are whole tiles
    }
    const uint64_t offset = tensors_.empty() ? 0 : round_up(tensors_.back().offset + tensors_.back().bytes, 64);
    tensors_.push_back({std::move(name), type, layout, std::move(extents), fill, value, source, offset, bytes});
    return static_cast<uint32_t>(tensors_.size() - 1);
  }
  uint32_t floats(std::string name, uint32_t count, float value) {
    return tensor(std::move(name), fmt::DType::f32, fmt::Layout::rows, {count}, Fill::kConstant, value);
  }
  void matrix(const std::string& name, uint32_t n, uint32_t k) {
    const float deviation = 1 / std::sqrt(static_cast<float>(k));
    MatrixPlan plan{0, -1, -1, -1};
    if (int8_) {
      plan.weight = tensor(name + ".weight", fmt::DType::s8, fmt::Layout::tile16x8, {n, k}, Fill::kWeight, 0);
      plan.scale = static_cast<int32_t>(floats(name + ".scale", n, deviation / kByteDeviation));
      plan.column_sum = static_cast<int32_t>(
          tensor(name + ".column_sum", fmt::DType::s32, fmt::Layout::rows, {n}, Fill::kColumnSum, 0, plan.weight));
    } else {
      plan.weight =
          tensor(name + ".weight", fmt::DType::f32, fmt::Layout::rows, {n, k}, Fill::kWeight, deviation * 1.73f);
    }
    plan.bias = static_cast<int32_t>(floats(name + ".bias", n, 0.01f));
    matrices_.push_back(plan);
  }
  void norm(const std::string& name) {
    norms_.push_back(floats(name + ".weight", shape_.hidden, 1));
    floats(name + ".bias", shape_.hidden, 0.01f);  // the tensor after its weight
  }
  void table(const char* name, uint32_t rows) {
    const std::string full = std::string("embeddings.") + name;
    if (int8_) {
      tensor(full, fmt::DType::s8, fmt::Layout::rows, {rows, shape_.hidden}, Fill::kTable, 0);
      floats(full + ".scale", rows, 1 / kByteDeviation);
    } else {
      tensor(full, fmt::DType::f32, fmt::Layout::rows, {rows, shape_.hidden}, Fill::kTable, 1.73f);
    }
  }
  void plan();
  uint64_t weights_size() const { return tensors_.back().offset + tensors_.back().bytes; }
  void fill(uint8_t* weights) const;
  void write_table(FlatBufferBuilder& builder, const std::vector<uint64_t>& checksums) const;

  const ModelShape& shape_;
  const bool int8_;
  std::vector<TensorPlan> tensors_;
  std::vector<MatrixPlan> matrices_;  // six per layer: query, key, value, output, up, down
  std::vector<uint32_t> norms_;       // their weights: embeddings, then two per layer
};

void Planner::plan() {
  table("word", shape_.vocabulary);
  table("position", shape_.positions);
  if (shape_.types > 0) {
    table("type", shape_.types);
  }
  norm("embeddings.norm");
  for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
    const std::string prefix = "layer." + std::to_string(layer) + ".";
    for (const char* name : {"query", "key", "value", "output"}) {
      matrix(prefix + name, shape_.hidden, shape_.hidden);
    }
    norm(prefix + "attention_norm");
    matrix(prefix + "up", shape_.intermediate, shape_.hidden);
    matrix(prefix + "down", shape_.hidden, shape_.intermediate);
    norm(prefix + "output_norm");
  }
}

void Planner::fill(uint8_t* weights) const {
  Random random;
  for (const TensorPlan& tensor : tensors_) {
    uint8_t* out = weights + tensor.offset;
    auto* numbers = reinterpret_cast<float*>(out);
    switch (tensor.fill) {
      case Fill::kWeight:
      case Fill::kTable:
        if (tensor.type == fmt::DType::s8) {
          random.bytes(reinterpret_cast<int8_t*>(out), tensor.bytes);
        } else {
          for (uint64_t i = 0; i < tensor.bytes / 4; ++i) {
            numbers[i] = tensor.value * random.uniform();
          }
        }
        break;
      case Fill::kConstant:
        for (uint64_t i = 0; i < tensor.bytes / 4; ++i) {
          numbers[i] = tensor.value;
        }
        break;
      case Fill::kColumnSum: {
        const TensorPlan& weight = tensors_[tensor.source];
        const auto* tile = reinterpret_cast<const int8_t*>(weights + weight.offset);
        const uint64_t k = weight.shape[1];
        for (uint64_t n = 0; n < weight.shape[0]; ++n) {
          const int8_t* row = tile + n / 16 * 16 * k + n % 16 * 8;
          int32_t sum = 0;
          for (uint64_t i = 0; i < k; ++i) {
            sum += row[i / 8 * 128 + i % 8];
          }
          std::memcpy(out + 4 * n, &sum, 4);
        }
        break;
      }
    }
  }
}

void Planner::write_table(FlatBufferBuilder& builder, const std::vector<uint64_t>& checksums) const {
  std::vector<Offset<fmt::Tensor>> tensors;
  for (const TensorPlan& tensor : tensors_) {
    tensors.push_back(fmt::CreateTensorDirect(builder, tensor.name.c_str(), tensor.type, tensor.layout, &tensor.shape,
                                              tensor.offset));
  }
  std::vector<Offset<fmt::Matrix>> matrices;
  for (const MatrixPlan& matrix : matrices_) {
    matrices.push_back(fmt::CreateMatrix(builder, matrix.weight, matrix.scale, matrix.column_sum, matrix.bias));
  }
  std::vector<Offset<fmt::Norm>> norms;
  for (const uint32_t weight : norms_) {
    norms.push_back(
        fmt::CreateNorm(builder, fmt::NormKind::layer, weight, static_cast<int32_t>(weight + 1), 1e-12f));
  }

  std::vector<Offset<fmt::Value>> values;
  const auto value = [&](fmt::Extent extent, uint32_t width) {
    values.push_back(fmt::CreateValue(builder, extent, width));
    return static_cast<uint32_t>(values.size() - 1);
  };
  std::vector<Offset<fmt::Step>> program;
  const auto step = [&](fmt::Op op, auto offset) { program.push_back(fmt::CreateStep(builder, op, offset.Union())); };

  std::vector<Offset<fmt::EmbedTable>> tables;
  const uint32_t stride = int8_ ? 2 : 1;  // tensors per table
  for (uint32_t t = 0; t < (shape_.types > 0 ? 3u : 2u); ++t) {
    tables.push_back(fmt::CreateEmbedTable(builder, static_cast<fmt::EmbedIndex>(t), t * stride,
                                           int8_ ? static_cast<int32_t>(t * stride + 1) : -1));
  }
  uint32_t x = value(fmt::Extent::tokens, shape_.hidden);
  step(fmt::Op::Embed, fmt::CreateEmbedDirect(builder, &tables, 0, x));
  const uint32_t head_dim = shape_.hidden / shape_.heads;
  const auto linear = [&](uint32_t in, uint32_t matrix, fmt::Activation activation, uint32_t width) {
    const uint32_t out = value(fmt::Extent::tokens, width);
    step(fmt::Op::Linear, fmt::CreateLinear(builder, in, matrix, -1, activation, out));
    return out;
  };
  const auto add_norm = [&](uint32_t in, uint32_t residual, uint32_t norm) {
    const uint32_t out = value(fmt::Extent::tokens, shape_.hidden);
    step(fmt::Op::AddNorm, fmt::CreateAddNorm(builder, in, static_cast<int32_t>(residual), static_cast<int32_t>(norm),
                                              out));
    return out;
  };
  for (uint32_t layer = 0; layer < shape_.layers; ++layer) {
    const uint32_t m = 6 * layer;
    const uint32_t attention = value(fmt::Extent::tokens, shape_.hidden);
    step(fmt::Op::Attention,
         fmt::CreateAttention(builder, x, x, x, m, m + 1, m + 2, shape_.heads, head_dim,
                              static_cast<float>(kLog2E / std::sqrt(static_cast<double>(head_dim))), int8_, attention));
    const uint32_t projected = linear(attention, m + 3, fmt::Activation::none, shape_.hidden);
    const uint32_t middle = add_norm(projected, x, 2 * layer + 1);
    const uint32_t up = linear(middle, m + 4, fmt::Activation::gelu, shape_.intermediate);
    const uint32_t down = linear(up, m + 5, fmt::Activation::none, shape_.hidden);
    x = add_norm(down, middle, 2 * layer + 2);
  }
  const uint32_t pooled = value(fmt::Extent::sequences, shape_.hidden);
  step(fmt::Op::Pool, fmt::CreatePool(builder, x, fmt::PoolKind::mean, pooled));
  const uint32_t embedding = value(fmt::Extent::sequences, shape_.hidden);
  step(fmt::Op::Normalize, fmt::CreateNormalize(builder, pooled, embedding));

  const std::vector<Offset<fmt::Output>> outputs = {fmt::CreateOutputDirect(builder, "last_hidden_state", x)};
  const auto architecture = builder.CreateString("bert");
  const auto precision = builder.CreateString(int8_ ? "int8" : "fp32");
  const auto tensor_list = builder.CreateVector(tensors);
  const auto matrix_list = builder.CreateVector(matrices);
  const auto norm_list = builder.CreateVector(norms);
  const auto value_list = builder.CreateVector(values);
  const auto step_list = builder.CreateVector(program);
  const auto output_list = builder.CreateVector(outputs);
  const auto checksum_list = builder.CreateVector(checksums);
  fmt::ModelBuilder model(builder);
  model.add_architecture(architecture);
  model.add_precision(precision);
  model.add_tensors(tensor_list);
  model.add_matrices(matrix_list);
  model.add_norms(norm_list);
  model.add_values(value_list);
  model.add_program(step_list);
  model.add_outputs(output_list);
  model.add_max_length(shape_.positions);
  model.add_max_positions(shape_.positions);
  model.add_vocabulary(shape_.vocabulary);
  model.add_type_count(std::max(shape_.types, 1u));
  model.add_task(fmt::Task::embed);
  model.add_embedding(static_cast<int32_t>(embedding));
  model.add_block_checksums(checksum_list);
  fmt::FinishModelBuffer(builder, model.Finish());
}

ModelBytes Planner::build() const {
  using format::kChecksumBlock;
  const uint64_t weights_size = this->weights_size();
  std::vector<uint64_t> checksums((weights_size + kChecksumBlock - 1) / kChecksumBlock, 0);
  FlatBufferBuilder draft;
  write_table(draft, checksums);  // its size does not depend on the sums

  format::FileHeader header = {};
  std::memcpy(header.magic, format::kMagic, sizeof header.magic);
  header.version = format::kVersion;
  header.table_size = draft.GetSize();
  header.weights_offset = round_up(sizeof header + header.table_size, format::kPartAlignment);
  header.weights_size = weights_size;
  ModelBytes file;
  file.size = header.weights_offset + weights_size;
  const uint64_t allocated = round_up(file.size, 64);
  file.data.reset(static_cast<uint8_t*>(std::aligned_alloc(64, allocated)));
  if (file.data == nullptr) {
    throw std::bad_alloc();
  }
  std::memset(file.data.get(), 0, allocated);
  uint8_t* weights = file.data.get() + header.weights_offset;
  fill(weights);
  for (size_t block = 0; block < checksums.size(); ++block) {
    const uint64_t begin = block * kChecksumBlock;
    checksums[block] = format::checksum(weights + begin, std::min(kChecksumBlock, weights_size - begin));
  }
  FlatBufferBuilder builder;
  write_table(builder, checksums);
  std::memcpy(file.data.get() + sizeof header, builder.GetBufferPointer(), builder.GetSize());
  header.table_checksum = format::checksum(builder.GetBufferPointer(), builder.GetSize());
  header.weights_checksum = format::checksum(checksums.data(), checksums.size() * sizeof(uint64_t));
  header.header_checksum = format::checksum(&header, offsetof(format::FileHeader, header_checksum));
  std::memcpy(file.data.get(), &header, sizeof header);
  return file;
}

}  // namespace

const ModelShape* find_shape(const std::string& name) {
  for (const ModelShape& shape : kShapes) {
    if (name == shape.name) {
      return &shape;
    }
  }
  return nullptr;
}

ModelBytes build_random_model(const ModelShape& shape, bool int8) { return Planner(shape, int8).build(); }

}  // namespace kinglet::cli
