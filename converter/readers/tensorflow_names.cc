// The original BERT's and ALBERT's variables as transformers calls them (load_tf_weights_in_bert, …_in_albert).
#include <algorithm>
#include <string_view>

#include "readers/tensorflow.h"

namespace kinglet::convert {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

// "bert/encoder/transformer/group_0/inner_group_0/attention_1/self/query/kernel", …, in this order.
constexpr std::string_view kAlbertNames[][2] = {
    {"ffn_1", "ffn"},
    {"bert/", "albert/"},
    {"attention_1", "attention"},
    {"transform/", ""},
    {"LayerNorm_1", "full_layer_layer_norm"},
    {"LayerNorm", "attention/LayerNorm"},
    {"transformer/", ""},
    {"intermediate/dense/", ""},
    {"ffn/intermediate/output/dense/", "ffn_output/"},
    {"/output/", "/"},
    {"/self/", "/"},
    {"pooler/dense", "pooler"},
    {"cls/predictions", "predictions"},
    {"predictions/attention", "predictions"},
    {"embeddings/attention", "embeddings"},
    {"inner_group_", "albert_layers/"},
    {"group_", "albert_layer_groups/"},
    {"cls/seq_relationship/", "sop_classifier/classifier/"},
};

bool is_optimiser(const std::string& last) {
  for (const char* begin : {"adam_", "Adam", "LAMB", "lamb_", "global_step", "beta1_power", "beta2_power", "Momentum",
                            "_CHECKPOINTABLE_OBJECT_GRAPH"}) {
    if (last.starts_with(begin)) {
      return true;
    }
  }
  return false;
}

std::string last_part(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::string transformers_name(const std::string& variable, bool albert, bool* transposed) {
  *transposed = false;
  std::string name = variable;
  const std::string last = last_part(name);
  if (is_optimiser(last)) {
    return "";
  }
  if (name.starts_with("module/")) {
    name.erase(0, 7);
  }
  if (name == "output_weights" || name == "output_bias") {
    name = "classifier/" + name;
  }
  if (albert) {
    for (const auto& [from, to] : kAlbertNames) {
      replace_all(name, from, to);
    }
  }
  replace_all(name, "cls/squad/", "qa_outputs/");
  replace_all(name, "/layer_", "/layer/");
  *transposed = last == "kernel";
  const size_t end = name.size() - last.size();
  if (last == "kernel" || last == "gamma" || last == "output_weights") {
    name.replace(end, std::string::npos, "weight");
  } else if (last == "beta" || last == "output_bias") {
    name.replace(end, std::string::npos, "bias");
  } else if (last.ends_with("_embeddings")) {
    name += "/weight";
  }
  std::replace(name.begin(), name.end(), '/', '.');
  return name;
}

}  // namespace kinglet::convert
