// Shapes of programs, and the writer's layout of them.
#include "compress/sizes.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "families/family.h"
#include "format/header.h"
#include "passes/passes.h"
#include "prune/budget.h"
#include "prune/layers.h"
#include "writer/layout.h"

namespace kinglet::compress {

using convert::EncoderLayer;
using convert::ModelIR;
using convert::Tensor;

namespace {

class Zeros final : public convert::Source {
 public:
  explicit Zeros(uint64_t columns) : columns_(columns) {}
  void read(uint64_t, uint64_t count, float* out) const override { std::fill_n(out, count * columns_, 0.0f); }

 private:
  uint64_t columns_;
};

ModelIR without_numbers(ModelIR model) {
  for (Tensor& tensor : model.tensors) {
    tensor.source = std::make_shared<Zeros>(tensor.shape.empty() ? 1 : tensor.shape.back());
  }
  return model;
}

void set_rows(ModelIR& model, uint32_t matrix, uint32_t rows) {
  model.tensors[model.matrices[matrix].weight].shape[0] = rows;
  if (const int32_t bias = model.matrices[matrix].bias; bias != convert::kNone) {
    model.tensors[static_cast<size_t>(bias)].shape[0] = rows;
  }
}

// The same model with so many heads and neurons less in every layer.
ModelIR with_less(ModelIR model, const std::vector<EncoderLayer>& layers, uint32_t heads, uint32_t neurons) {
  for (const EncoderLayer& layer : layers) {
    auto& attention = std::get<convert::AttentionOp>(model.program[layer.op]);
    attention.heads = layer.heads - heads;
    const uint32_t width = attention.heads * layer.head_dim, middle = layer.neurons - neurons;
    for (const uint32_t matrix : {layer.query, layer.key, layer.value}) {
      set_rows(model, matrix, width);
    }
    model.tensors[model.matrices[layer.output].weight].shape[1] = width;
    set_rows(model, layer.up, middle);
    model.tensors[model.matrices[layer.down].weight].shape[1] = middle;
    model.values[layer.attended].width = width;
    model.values[layer.activated].width = middle;
  }
  return model;
}

}  // namespace

uint64_t weight_bytes(const ModelIR& model) {
  ModelIR shapes = without_numbers(model);
  convert::prepare_attention(shapes);
  convert::quantize(shapes, {});
  return convert::plan_layout(shapes).bytes;
}

uint64_t calibration_bytes(const ModelIR& model) {
  std::set<uint32_t> read;
  for (const convert::Op& op : model.program) {
    if (const auto* linear = std::get_if<convert::LinearOp>(&op)) {
      read.insert(linear->in);
    } else if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      read.insert({attention->query_in, attention->key_in, attention->value_in});
    }
  }
  uint64_t bytes = 0;
  for (const uint32_t value : read) {
    bytes += uint64_t{model.values[value].width} * sizeof(float) + format::kPartAlignment;
  }
  return bytes;
}

uint64_t tokenizer_bytes(const convert::CompiledTokenizer& tokenizer) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(tokenizer.write(builder));
  return builder.GetSize();
}

ModelIR with_vocabulary(ModelIR model, uint32_t tokens) {
  for (Tensor& tensor : model.tensors) {
    const auto is = [&](const char* part) { return tensor.name.find(part) != std::string::npos; };
    if (!tensor.shape.empty() && tensor.shape[0] == model.vocabulary &&
        (is("word_embeddings.weight") || is("tok_embeddings.weight") || is("decoder") || is("predictions.bias"))) {
      tensor.shape[0] = tokens;
    }
  }
  model.vocabulary = tokens;
  return model;
}

FileBytes file_bytes(const ModelIR& model, uint64_t other) {
  FileBytes bytes;
  const uint32_t tokens = model.vocabulary, fewer = tokens / 2;
  const uint64_t whole = weight_bytes(model);
  bytes.per_token = static_cast<double>(whole - weight_bytes(with_vocabulary(model, fewer))) / (tokens - fewer);
  bytes.fixed = static_cast<double>(whole + other + 2 * format::kPartAlignment) - bytes.per_token * tokens;
  return bytes;
}

EncoderBytes encoder_bytes(const ModelIR& model, double length) {
  constexpr uint32_t kNeurons = 16;
  const std::vector<EncoderLayer> layers = convert::find_layers(model);
  EncoderBytes encoder;
  for (const EncoderLayer& layer : layers) {
    encoder.heads += layer.heads;
    encoder.neurons += layer.neurons;
    if (layer.heads < 2 || layer.neurons <= kNeurons) {
      return {};
    }
  }
  const auto count = static_cast<double>(layers.size());
  const auto whole = static_cast<double>(weight_bytes(model));
  encoder.head_bytes = (whole - static_cast<double>(weight_bytes(with_less(model, layers, 1, 0)))) / count;
  encoder.neuron_bytes =
      (whole - static_cast<double>(weight_bytes(with_less(model, layers, 0, kNeurons)))) / count / kNeurons;
  const convert::Costs costs = convert::count_operations(layers[0], model.values[layers[0].in].width, length);
  encoder.head_work = costs.head;
  encoder.neuron_work = costs.neuron;
  encoder.least_work = count * (costs.head + kNeurons * costs.neuron);
  return encoder;
}

double matrix_work(const ModelIR& model) {
  double work = 0;
  const auto add = [&](uint32_t matrix) {
    const Tensor& weight = model.weight_of(matrix);
    work += static_cast<double>(weight.rows()) * static_cast<double>(weight.columns());
  };
  for (const convert::Op& op : model.program) {
    if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      for (const uint32_t matrix : {attention->query, attention->key, attention->value}) {
        add(matrix);
      }
    } else if (const auto* linear = std::get_if<convert::LinearOp>(&op);
               linear != nullptr && model.values[linear->out].extent == fmt::Extent::tokens) {
      add(linear->matrix);
    }
  }
  return work;
}

ModelIR shapes_of(const convert::CheckpointFolder& folder) {
  convert::Checkpoint checkpoint;
  for (const Tensor& tensor : folder.tensors) {
    convert::StoredTensor stored;
    stored.name = tensor.name;
    stored.type = convert::ElementType::f32;
    stored.type_name = "F32";
    stored.shape = {tensor.shape.begin(), tensor.shape.end()};
    checkpoint.tensors.emplace(tensor.name, std::move(stored));
  }
  convert::BuildRequest request = {convert::JsonObject(folder.config, "config.json"),
                                   std::move(checkpoint),
                                   folder.source.string(),
                                   std::nullopt,
                                   {},
                                   false,
                                   {}};
  return without_numbers(convert::build_model(std::move(request)));
}

}  // namespace kinglet::compress
