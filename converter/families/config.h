// Fields of config.json that mean the same in every family of transformers. All functions throw Error and name the
// field.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json_file.h"
#include "model_generated.h"

namespace kinglet::convert {

// Refuses what would make the computation another one: decoders, cross-attention, quantised weights, code of the
// checkpoint's own.
void refuse_unsupported(const JsonObject& config);

// An activation by its transformers name.
fmt::Activation read_activation(const JsonObject& config, const char* field, const std::string& fallback);

// The first of "architectures", or "".
std::string read_architecture(const JsonObject& config);

// Layer → its pruned heads, each below `heads`.
std::map<uint32_t, std::set<uint32_t>> read_pruned_heads(const JsonObject& config, uint32_t layers, uint32_t heads);

// kinglet_intermediate_sizes, a list with the feed-forward width of every layer, or `size` for each where it is absent.
std::vector<uint32_t> read_intermediate_sizes(const JsonObject& config, uint32_t layers, uint32_t size);

// The labels: `instead` where it is not empty, or id2label, or num_labels (2 where absent) times LABEL_i.
std::vector<std::string> read_labels(const JsonObject& config, const std::vector<std::string>& instead);

// How transformers' text-classification pipeline scores: by problem_type and the number of labels.
fmt::Scoring read_scoring(const JsonObject& config, size_t labels);

}  // namespace kinglet::convert
