// Fields of config.json that mean the same in every family.
#include "families/config.h"

#include <charconv>
#include <set>

#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kMaxLabels = 65536;

struct NamedActivation {
  const char* name;
  fmt::Activation activation;
};

// Names as in transformers' ACT2CLS.
constexpr NamedActivation kActivations[] = {
    {"gelu", fmt::Activation::gelu},
    {"gelu_python", fmt::Activation::gelu},
    {"gelu_new", fmt::Activation::gelu_tanh},
    {"gelu_fast", fmt::Activation::gelu_tanh},
    {"gelu_accurate", fmt::Activation::gelu_tanh},
    {"gelu_pytorch_tanh", fmt::Activation::gelu_tanh},
    {"gelu_python_tanh", fmt::Activation::gelu_tanh},
    {"relu", fmt::Activation::relu},
    {"silu", fmt::Activation::silu},
    {"swish", fmt::Activation::silu},
    {"tanh", fmt::Activation::tanh},
    {"sigmoid", fmt::Activation::sigmoid},
    {"linear", fmt::Activation::none},
};

// A key of a JSON object that stands for an index.
uint32_t parse_index(const JsonObject& config, const char* field, const std::string& key, uint32_t below) {
  uint32_t index = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
  if (error != std::errc() || end != key.data() + key.size() || index >= below) {
    refuse(config.name(), ": ", field, " has the key ", quote(key), ", expected a whole number from 0 to ", below - 1);
  }
  return index;
}

std::string label_text(const JsonObject& config, const std::string& key, const Json& value) {
  if (value.is_string()) {
    return value.get<std::string>();
  }
  if (value.is_number() || value.is_boolean()) {
    return value.dump();
  }
  refuse(config.name(), ": the label ", quote(key), " of id2label is not a string");
}

}  // namespace

void refuse_unsupported(const JsonObject& config) {
  for (const char* field : {"is_decoder", "add_cross_attention", "is_encoder_decoder"}) {
    if (config.boolean(field, false)) {
      config.refuse_field(field, "false: only encoders are supported");
    }
  }
  if (config.has("quantization_config")) {
    refuse(config.name(),
           ": has a quantization_config: its weights are quantised already, expected floating-point"
           " ones");
  }
  if (const Json* adapters = config.find("adapters"); adapters != nullptr && !adapters->empty()) {
    const auto inner = adapters->find("adapters");
    if (!adapters->is_object() || inner == adapters->end() || !inner->empty()) {
      refuse(config.name(), ": has adapters, expected a model without them or with them merged into its weights");
    }
  }
  if (const Json* map = config.find("auto_map"); map != nullptr && map->is_object()) {
    for (const auto& [key, value] : map->items()) {
      if (key.starts_with("AutoModel")) {
        refuse(config.name(), ": auto_map says that ", quote(key),
               " is code of the checkpoint's own, which is not run");
      }
    }
  }
}

fmt::Activation read_activation(const JsonObject& config, const char* field, const std::string& fallback) {
  const std::string name = config.text(field, fallback);
  std::vector<std::string> known;
  for (const NamedActivation& entry : kActivations) {
    if (name == entry.name) {
      return entry.activation;
    }
    known.push_back(entry.name);
  }
  config.refuse_field(field, "one of " + list_text(known));
}

std::string read_architecture(const JsonObject& config) {
  const Json* list = config.find("architectures");
  if (list == nullptr || (list->is_array() && list->empty())) {
    return "";
  }
  if (!list->is_array() || !list->front().is_string()) {
    config.refuse_field("architectures", "a list of names");
  }
  return list->front().get<std::string>();
}

std::map<uint32_t, std::set<uint32_t>> read_pruned_heads(const JsonObject& config, uint32_t layers, uint32_t heads) {
  std::map<uint32_t, std::set<uint32_t>> pruned;
  const Json* map = config.find("pruned_heads");
  if (map == nullptr) {
    return pruned;
  }
  if (!map->is_object()) {
    config.refuse_field("pruned_heads", "an object of layers and lists of heads");
  }
  for (const auto& [key, list] : map->items()) {
    const uint32_t layer = parse_index(config, "pruned_heads", key, layers);
    if (!list.is_array()) {
      config.refuse_field("pruned_heads", "an object of layers and lists of heads");
    }
    for (const Json& head : list) {
      if (!head.is_number_unsigned() || head.get<uint64_t>() >= heads) {
        refuse(config.name(), ": pruned_heads of layer ", layer, " holds ", head.dump(-1, ' ', true),
               ", expected heads", " from 0 to ", heads - 1);
      }
      pruned[layer].insert(head.get<uint32_t>());
    }
    if (pruned[layer].size() == heads) {
      refuse(config.name(), ": pruned_heads leaves no head in layer ", layer, ", expected one at least");
    }
  }
  return pruned;
}

std::vector<uint32_t> read_intermediate_sizes(const JsonObject& config, uint32_t layers, uint32_t size) {
  const Json* list = config.find("kinglet_intermediate_sizes");
  if (list == nullptr) {
    return std::vector<uint32_t>(layers, size);
  }
  if (!list->is_array() || list->size() != layers) {
    refuse(config.name(), ": kinglet_intermediate_sizes is not a list of ", layers, " numbers, one for each layer");
  }
  std::vector<uint32_t> sizes;
  for (const Json& number : *list) {
    if (!number.is_number_unsigned() || number.get<uint64_t>() < 1 || number.get<uint64_t>() > 65536) {
      refuse(config.name(), ": kinglet_intermediate_sizes holds ", number.dump(-1, ' ', true),
             ", expected whole numbers from 1 to 65536");
    }
    sizes.push_back(number.get<uint32_t>());
  }
  return sizes;
}

std::vector<std::string> read_labels(const JsonObject& config, const std::vector<std::string>& instead) {
  if (!instead.empty()) {
    return instead;
  }
  const Json* map = config.find("id2label");
  std::vector<std::string> labels;
  if (map == nullptr) {
    const uint64_t count = config.number("num_labels", 2, 1, kMaxLabels);
    for (uint64_t i = 0; i < count; ++i) {
      labels.push_back("LABEL_" + std::to_string(i));
    }
    return labels;
  }
  if (!map->is_object() || map->empty() || map->size() > kMaxLabels) {
    config.refuse_field("id2label", "an object of indices and labels");
  }
  labels.resize(map->size());
  std::set<uint32_t> seen;
  for (const auto& [key, value] : map->items()) {
    // With n entries, every index below n is there exactly when each key is below n and none comes twice.
    const uint32_t index = parse_index(config, "id2label", key, static_cast<uint32_t>(map->size()));
    if (!seen.insert(index).second) {
      refuse(config.name(), ": id2label has the label ", index, " twice");
    }
    labels[index] = label_text(config, key, value);
  }
  return labels;
}

fmt::Scoring read_scoring(const JsonObject& config, size_t labels) {
  const std::string type = config.text("problem_type", "");
  if (type == "regression") {
    return fmt::Scoring::identity;
  }
  if (type != "" && type != "single_label_classification" && type != "multi_label_classification") {
    config.refuse_field("problem_type", "regression, single_label_classification or multi_label_classification");
  }
  return type == "multi_label_classification" || labels == 1 ? fmt::Scoring::sigmoid : fmt::Scoring::softmax;
}

}  // namespace kinglet::convert
