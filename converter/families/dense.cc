// sentence_transformers/models/Dense.py: activation(linear(embedding)).
#include "families/dense.h"

#include "base/json_file.h"
#include "base/text.h"
#include "families/weights.h"
#include "readers/checkpoint.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kMostFeatures = 65536;

struct NamedActivation {
  const char* name;  // the last part of a torch class's
  fmt::Activation activation;
};

constexpr NamedActivation kActivations[] = {
    {"Identity", fmt::Activation::none}, {"Tanh", fmt::Activation::tanh}, {"ReLU", fmt::Activation::relu},
    {"GELU", fmt::Activation::gelu},     {"SiLU", fmt::Activation::silu}, {"Sigmoid", fmt::Activation::sigmoid},
};

fmt::Activation read_activation_class(const JsonObject& config) {
  constexpr const char* kField = "activation_function";
  const std::string name = config.text(kField, "torch.nn.modules.activation.Tanh");
  std::vector<std::string> known;
  for (const NamedActivation& entry : kActivations) {
    if (name.starts_with("torch.nn.") && name.substr(name.rfind('.') + 1) == entry.name) {
      return entry.activation;
    }
    known.push_back(entry.name);
  }
  config.refuse_field(kField, "one of " + list_text(known) + " of torch.nn");
}

void add_dense_module(const std::filesystem::path& folder, ModelIR* model) {
  const JsonObject config = JsonObject::load(folder / "config.json");
  for (const char* field : {"module_input_name", "module_output_name"}) {
    if (config.text(field, "sentence_embedding") != "sentence_embedding") {
      config.refuse_field(field, "\"sentence_embedding\"");
    }
  }
  const auto embedding = static_cast<uint32_t>(model->embedding);
  const uint32_t width = model->values[embedding].width;
  const auto in = static_cast<uint32_t>(config.number("in_features", width, 1, kMostFeatures));
  const auto out = static_cast<uint32_t>(config.number("out_features", 0, 1, kMostFeatures));
  if (in != width) {
    refuse(config.name(), ": in_features is ", in, ", but the embedding before it has ", width, " numbers");
  }
  const bool bias = config.boolean("bias", true);
  const fmt::Activation activation = read_activation_class(config);
  Weights weights(open_checkpoint(folder, {}), {}, folder.string());
  const std::string name = folder.filename().string() + ".linear";
  const auto take = [&](const char* part, const std::vector<uint32_t>& shape) {
    Tensor tensor = weights.take(std::string("linear.") + part, shape);
    tensor.name = name + "." + part;
    return model->add(std::move(tensor));
  };
  Matrix matrix{name, take("weight", {out, in}), kNone, false};
  if (bias) {
    matrix.bias = static_cast<int32_t>(take("bias", {out}));
  }
  weights.refuse_unused({});
  model->embedding = static_cast<int32_t>(model->linear(embedding, model->add(matrix), activation));
}

}  // namespace

void add_dense_modules(const std::vector<std::filesystem::path>& folders, ModelIR* model) {
  for (const std::filesystem::path& folder : folders) {
    add_dense_module(folder, model);
  }
}

}  // namespace kinglet::convert
