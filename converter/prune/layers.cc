// Finds layers by their six ops.
#include "prune/layers.h"

#include <algorithm>
#include <string>

#include "base/text.h"
#include "families/family.h"

namespace kinglet::convert {

namespace {

// The layer that begins with op `first`, or nothing.
bool read_layer(const ModelIR& model, size_t first, EncoderLayer* layer) {
  if (first + kLayerOps > model.program.size()) {
    return false;
  }
  const Op* ops = &model.program[first];
  const auto* attention = std::get_if<AttentionOp>(&ops[0]);
  const auto* output = std::get_if<LinearOp>(&ops[1]);
  const auto* middle = std::get_if<AddNormOp>(&ops[2]);
  const auto* up = std::get_if<LinearOp>(&ops[3]);
  const auto* down = std::get_if<LinearOp>(&ops[4]);
  const auto* out = std::get_if<AddNormOp>(&ops[5]);
  if (attention == nullptr || output == nullptr || middle == nullptr || up == nullptr || down == nullptr ||
      out == nullptr) {
    return false;
  }
  *layer = {first,
            attention->query_in,
            middle->out,
            out->out,
            attention->out,
            up->out,
            attention->query,
            attention->key,
            attention->value,
            output->matrix,
            up->matrix,
            down->matrix,
            attention->heads,
            attention->head_dim,
            static_cast<uint32_t>(model.weight_of(up->matrix).rows())};
  return output->in == attention->out && middle->in == output->out &&
         middle->residual == static_cast<int32_t>(attention->query_in) && up->in == middle->out &&
         down->in == up->out && out->in == down->out && out->residual == static_cast<int32_t>(middle->out);
}

}  // namespace

std::vector<EncoderLayer> find_layers(const ModelIR& model) {
  const std::vector<std::string> known = prunable_families();
  if (std::find(known.begin(), known.end(), model.architecture) == known.end()) {
    refuse("the family ", quote(model.architecture), " cannot be pruned; those that can: ", list_text(known));
  }
  std::vector<EncoderLayer> layers;
  EncoderLayer layer;
  for (size_t op = 0; op < model.program.size(); ++op) {
    if (read_layer(model, op, &layer)) {
      layers.push_back(layer);
    }
  }
  if (layers.empty()) {
    refuse("the model has no layers, expected one that can be pruned");
  }
  return layers;
}

}  // namespace kinglet::convert
