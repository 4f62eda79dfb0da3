// Groups by joining whatever shares a value or a weight.
#include "passes/linear_groups.h"

#include <algorithm>
#include <map>
#include <set>

namespace kinglet::convert {

namespace {

struct Use {
  uint32_t value, matrix;
};

std::vector<Use> find_uses(const ModelIR& model) {
  std::vector<Use> uses;
  for (const Op& op : model.program) {
    if (const auto* linear = std::get_if<LinearOp>(&op)) {
      uses.push_back({linear->in, linear->matrix});
      if (linear->gate != kNone) {
        uses.push_back({linear->in, static_cast<uint32_t>(linear->gate)});
      }
    } else if (const auto* attention = std::get_if<AttentionOp>(&op)) {
      uses.push_back({attention->query_in, attention->query});
      uses.push_back({attention->key_in, attention->key});
      uses.push_back({attention->value_in, attention->value});
    }
  }
  return uses;
}

std::set<uint32_t> table_tensors(const ModelIR& model) {
  std::set<uint32_t> tables;
  for (const Op& op : model.program) {
    if (const auto* embed = std::get_if<EmbedOp>(&op)) {
      for (const EmbedTable& entry : embed->tables) {
        tables.insert(entry.table);
      }
    }
  }
  return tables;
}

template <typename T>
void add_once(std::vector<T>* list, T element) {
  if (std::find(list->begin(), list->end(), element) == list->end()) {
    list->push_back(element);
  }
}

}  // namespace

std::vector<LinearGroup> find_linear_groups(const ModelIR& model) {
  const std::set<uint32_t> tables = table_tensors(model);
  std::vector<LinearGroup> groups;
  std::map<uint32_t, size_t> by_value, by_weight;
  for (const Use& use : find_uses(model)) {
    const uint32_t weight = model.matrices[use.matrix].weight;
    if (model.tensors[weight].storage != Storage::s8_tile || tables.contains(weight)) {
      continue;
    }
    const auto value_place = by_value.find(use.value), weight_place = by_weight.find(weight);
    size_t group = groups.size();
    if (value_place != by_value.end()) {
      group = value_place->second;
    } else if (weight_place != by_weight.end()) {
      group = weight_place->second;
    } else {
      groups.emplace_back();
    }
    if (value_place != by_value.end() && weight_place != by_weight.end() && weight_place->second != group) {
      const size_t other = weight_place->second;
      for (const uint32_t value : groups[other].inputs) {
        add_once(&groups[group].inputs, value);
        by_value[value] = group;
      }
      for (const uint32_t matrix : groups[other].matrices) {
        add_once(&groups[group].matrices, matrix);
        by_weight[model.matrices[matrix].weight] = group;
      }
      groups[other] = {};
    }
    add_once(&groups[group].inputs, use.value);
    if (by_weight.emplace(weight, group).second) {
      groups[group].matrices.push_back(use.matrix);
    }
    by_value[use.value] = group;
  }
  std::erase_if(groups, [](const LinearGroup& group) { return group.matrices.empty(); });
  return groups;
}

bool ignores_constants(const ModelIR& model, uint32_t matrix) {
  bool used = false;
  for (const Op& op : model.program) {
    if (const auto* linear = std::get_if<LinearOp>(&op)) {
      if (linear->matrix == matrix || linear->gate == static_cast<int32_t>(matrix)) {
        return false;
      }
    } else if (const auto* attention = std::get_if<AttentionOp>(&op)) {
      if (attention->query == matrix || (attention->key == matrix && attention->rotary != kNone)) {
        return false;
      }
      used = used || attention->key == matrix || attention->value == matrix;
    }
  }
  return used;
}

}  // namespace kinglet::convert
