// From the network back to programs and checkpoints.
#include "prune/pruned_model.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/text.h"
#include "families/config.h"

namespace kinglet::convert {

namespace {

struct Shape {
  uint32_t rows, columns;
};

std::vector<std::pair<uint32_t, Shape>> matrices_of(const Network& network, const EncoderLayer& layer) {
  std::vector<std::pair<uint32_t, Shape>> matrices;
  for (const uint32_t id : {layer.query, layer.key, layer.value, layer.output, layer.up, layer.down}) {
    const auto rows = static_cast<uint32_t>(network.bias(id).size());
    matrices.push_back({id, {rows, static_cast<uint32_t>(network.weight(id).size() / rows)}});
  }
  return matrices;
}

// The rows of a table of biases per head.
Tensor bias_rows(const Tensor& table, const std::vector<uint32_t>& heads) {
  std::vector<float> rows(heads.size() * table.columns());
  for (size_t i = 0; i < heads.size(); ++i) {
    table.source->read(heads[i], 1, &rows[i * table.columns()]);
  }
  return {table.name,
          {static_cast<uint32_t>(heads.size()), table.shape[1]},
          memory_source(std::move(rows), table.columns())};
}

Tensor& find_tensor(CheckpointFolder& folder, const std::string& name) {
  Tensor* found = nullptr;
  for (Tensor& tensor : folder.tensors) {
    if (tensor.name == name || tensor.name.ends_with('.' + name)) {
      if (found != nullptr) {
        refuse(folder.source.string(), ": the tensors ", quote(found->name), " and ", quote(tensor.name),
               " both end in ", quote(name), ", expected one of them");
      }
      found = &tensor;
    }
  }
  if (found == nullptr) {
    refuse(folder.source.string(), ": has no tensor whose name ends in ", quote(name));
  }
  return *found;
}

// What the field `field` of a config is called in it.
std::string width_field(const Json& config) {
  return config.contains("hidden_dim") && !config.contains("intermediate_size") ? "hidden_dim" : "intermediate_size";
}

// The heads of a layer that are gone, in the numbers of the model before any pruning.
Json gone_heads(const std::set<uint32_t>& before, uint32_t heads, const std::vector<uint32_t>& kept) {
  Json gone = Json::array();
  uint32_t present = 0;
  for (uint32_t head = 0; head < heads; ++head) {
    if (before.count(head) != 0 || !std::binary_search(kept.begin(), kept.end(), present++)) {
      gone.push_back(head);
    }
  }
  return gone;
}

}  // namespace

ModelIR pruned_model(const ModelIR& model, const Network& network, const std::vector<EncoderLayer>& layers,
                     const Kept& kept) {
  ModelIR pruned = model;
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const auto& [id, shape] : matrices_of(network, layers[i])) {
      Matrix& matrix = pruned.matrices[id];
      Tensor& weight = pruned.tensors[matrix.weight];
      weight.shape = {shape.rows, shape.columns};
      weight.source = memory_source(network.weight(id), shape.columns);
      Tensor& bias = pruned.tensors[static_cast<size_t>(matrix.bias)];
      bias.shape = {shape.rows};
      bias.source = memory_source(network.bias(id), shape.rows);
    }
    auto& attention = std::get<AttentionOp>(pruned.program[layers[i].op]);
    attention.heads = static_cast<uint32_t>(kept.heads[i].size());
    pruned.values[layers[i].attended].width = attention.heads * attention.head_dim;
    pruned.values[layers[i].activated].width = static_cast<uint32_t>(kept.neurons[i].size());
    if (attention.relative_bias != kNone) {
      attention.relative_bias = static_cast<int32_t>(
          pruned.add(bias_rows(model.tensors[static_cast<size_t>(attention.relative_bias)], kept.heads[i])));
    }
  }
  return pruned;
}

void put_into_folder(const Network& network, const std::vector<EncoderLayer>& layers, const Kept& kept,
                     CheckpointFolder& folder) {
  const JsonObject config(folder.config, "config.json");
  uint32_t heads = layers.front().heads;
  const auto before_of = [&](size_t layer) {
    std::set<uint32_t> before;
    if (const Json* map = config.find("pruned_heads"); map != nullptr && map->contains(std::to_string(layer))) {
      for (const Json& head : (*map)[std::to_string(layer)]) {
        before.insert(head.get<uint32_t>());
      }
    }
    return before;
  };
  heads += static_cast<uint32_t>(before_of(0).size());
  Json pruned = Json::object(), widths = Json::array();
  std::set<size_t> different;
  for (size_t i = 0; i < layers.size(); ++i) {
    for (const auto& [id, shape] : matrices_of(network, layers[i])) {
      const Matrix& matrix = network.model().matrices[id];
      Tensor& weight = find_tensor(folder, matrix.name + ".weight");
      weight.shape = {shape.rows, shape.columns};
      weight.source = memory_source(network.weight(id), shape.columns);
      Tensor& bias = find_tensor(folder, matrix.name + ".bias");
      bias.shape = {shape.rows};
      bias.source = memory_source(network.bias(id), shape.rows);
    }
    if (const Json gone = gone_heads(before_of(i), heads, kept.heads[i]); !gone.empty()) {
      pruned[std::to_string(i)] = gone;
    }
    widths.push_back(kept.neurons[i].size());
    different.insert(kept.neurons[i].size());
  }
  folder.config["pruned_heads"] = std::move(pruned);
  folder.config.erase("kinglet_intermediate_sizes");
  if (different.size() == 1) {
    folder.config[width_field(folder.config)] = widths[0];
  } else {
    folder.config["kinglet_intermediate_sizes"] = std::move(widths);
  }
}

}  // namespace kinglet::convert
