// From the network back to programs and checkpoints.
#include "prune/pruned_model.h"

#include <algorithm>
#include <set>
#include <string>

#include "base/text.h"
#include "families/config.h"
#include "prune/depth.h"

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

// What a field is called in a config: `name`, or as DistilBERT has it.
const char* field_of(const Json& config, const char* name, const char* distilbert) {
  return config.contains(distilbert) && !config.contains(name) ? distilbert : name;
}

// By layer, in the numbers of the model before any pruning.
std::vector<std::set<uint32_t>> heads_gone_before(const Json& config, size_t layers) {
  std::vector<std::set<uint32_t>> gone(layers);
  if (const auto map = config.find("pruned_heads"); map != config.end()) {
    for (size_t i = 0; i < layers; ++i) {
      for (const Json& head : map->value(std::to_string(i), Json::array())) {
        gone[i].insert(head.get<uint32_t>());
      }
    }
  }
  return gone;
}

// Of the names of a layer's tensors: "bert.encoder.layer.3.".
std::string layer_prefix(const Network& network, const EncoderLayer& layer, size_t index, CheckpointFolder& folder) {
  const auto name_of = [&](uint32_t id) {
    return find_tensor(folder, network.model().matrices[id].name + ".weight").name;
  };
  const std::string query = name_of(layer.query), up = name_of(layer.up);
  std::string prefix(query.begin(), std::mismatch(query.begin(), query.end(), up.begin(), up.end()).first);
  prefix.erase(prefix.rfind('.') + 1);
  if (!prefix.ends_with('.' + std::to_string(index) + '.')) {
    refuse(folder.source.string(), ": the tensors ", quote(query), " and ", quote(up), " do not name layer ", index,
           ", expected names that begin alike and with its number");
  }
  return prefix;
}

// The tensors of layers that are gone go, those of others get the names of their new places.
void take_layers_out(const Network& network, const std::vector<EncoderLayer>& layers, const Kept& kept,
                     CheckpointFolder& folder) {
  std::vector<std::string> prefixes;
  for (size_t i = 0; i < layers.size(); ++i) {
    prefixes.push_back(layer_prefix(network, layers[i], i, folder));
  }
  std::vector<Tensor> left;
  for (Tensor& tensor : folder.tensors) {
    const auto layer = std::find_if(prefixes.begin(), prefixes.end(),
                                    [&](const std::string& prefix) { return tensor.name.starts_with(prefix); });
    const auto index = static_cast<size_t>(layer - prefixes.begin());
    if (layer == prefixes.end()) {
      left.push_back(std::move(tensor));
    } else if (kept.has_layer(index)) {
      const std::vector<bool> all = kept.layers();
      const auto place = std::count(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(index), true);
      tensor.name.replace(0, layer->size(), prefixes[static_cast<size_t>(place)]);
      left.push_back(std::move(tensor));
    }
  }
  folder.tensors = std::move(left);
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
    if (!kept.has_layer(i)) {
      continue;
    }
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
  return without_layers(pruned, layers, kept.layers());
}

void put_into_folder(const Network& network, const std::vector<EncoderLayer>& layers, const Kept& kept,
                     CheckpointFolder& folder) {
  const std::vector<std::set<uint32_t>> gone_before = heads_gone_before(folder.config, layers.size());
  const uint32_t heads = layers.front().heads + static_cast<uint32_t>(gone_before.front().size());
  Json pruned = Json::object(), widths = Json::array();
  std::set<size_t> different;
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!kept.has_layer(i)) {
      continue;
    }
    for (const auto& [id, shape] : matrices_of(network, layers[i])) {
      const Matrix& matrix = network.model().matrices[id];
      Tensor& weight = find_tensor(folder, matrix.name + ".weight");
      weight.shape = {shape.rows, shape.columns};
      weight.source = memory_source(network.weight(id), shape.columns);
      Tensor& bias = find_tensor(folder, matrix.name + ".bias");
      bias.shape = {shape.rows};
      bias.source = memory_source(network.bias(id), shape.rows);
    }
    if (const Json gone = gone_heads(gone_before[i], heads, kept.heads[i]); !gone.empty()) {
      pruned[std::to_string(widths.size())] = gone;
    }
    widths.push_back(kept.neurons[i].size());
    different.insert(kept.neurons[i].size());
  }
  if (widths.size() < layers.size()) {
    take_layers_out(network, layers, kept, folder);
    folder.config[field_of(folder.config, "num_hidden_layers", "n_layers")] = widths.size();
  }
  folder.config["pruned_heads"] = std::move(pruned);
  folder.config.erase("kinglet_intermediate_sizes");
  if (different.size() == 1) {
    folder.config[field_of(folder.config, "intermediate_size", "hidden_dim")] = widths[0];
  } else {
    folder.config["kinglet_intermediate_sizes"] = std::move(widths);
  }
}

}  // namespace kinglet::convert
