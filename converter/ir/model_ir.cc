// Building a program op by op.
#include "ir/model_ir.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

namespace kinglet::convert {

namespace {

template <typename T>
uint32_t append(std::vector<T>& list, T element) {
  list.push_back(std::move(element));
  return static_cast<uint32_t>(list.size() - 1);
}

}  // namespace

uint32_t ModelIR::add(Tensor tensor) {
  return append(tensors, std::move(tensor));
}
uint32_t ModelIR::add(Matrix matrix) {
  return append(matrices, std::move(matrix));
}
uint32_t ModelIR::add(Norm norm) {
  return append(norms, norm);
}

uint32_t ModelIR::embed(std::vector<EmbedTable> tables, int32_t norm) {
  uint32_t width = 0;
  for (const EmbedTable& entry : tables) {
    width = std::max(width, entry.column + static_cast<uint32_t>(tensors[entry.table].columns()));
  }
  const uint32_t out = append(values, Value{fmt::Extent::tokens, width});
  program.push_back(EmbedOp{std::move(tables), norm, out});
  return out;
}

uint32_t ModelIR::linear(uint32_t in, uint32_t matrix, fmt::Activation activation, int32_t gate) {
  const uint32_t out = append(values, Value{values[in].extent, static_cast<uint32_t>(weight_of(matrix).rows())});
  program.push_back(LinearOp{in, matrix, gate, activation, out});
  return out;
}

uint32_t ModelIR::attention(uint32_t in, uint32_t query, uint32_t key, uint32_t value, uint32_t heads,
                            uint32_t head_dim) {
  return attention(in, in, query, key, value, heads, head_dim);
}

uint32_t ModelIR::attention(uint32_t keys_in, uint32_t values_in, uint32_t query, uint32_t key, uint32_t value,
                            uint32_t heads, uint32_t head_dim) {
  const uint32_t out = append(values, Value{fmt::Extent::tokens, heads * head_dim});
  const auto logit_scale = static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(head_dim)));
  program.push_back(
      AttentionOp{keys_in, keys_in, values_in, query, key, value, heads, head_dim, logit_scale, false, out});
  return out;
}

uint32_t ModelIR::add_norm(uint32_t in, int32_t residual, int32_t norm) {
  const uint32_t out = append(values, Value{values[in]});
  program.push_back(AddNormOp{in, residual, norm, out});
  return out;
}

uint32_t ModelIR::pool(uint32_t in, fmt::PoolKind kind) {
  const uint32_t out = append(values, Value{fmt::Extent::sequences, values[in].width});
  program.push_back(PoolOp{in, kind, out});
  return out;
}

uint32_t ModelIR::normalize(uint32_t in) {
  const uint32_t out = append(values, Value{values[in]});
  program.push_back(NormalizeOp{in, out});
  return out;
}

uint32_t ModelIR::neighbours(uint32_t in, uint32_t before, uint32_t after) {
  const uint32_t out = append(values, Value{fmt::Extent::tokens, values[in].width * (before + after + 1)});
  program.push_back(NeighboursOp{in, before, after, out});
  return out;
}

}  // namespace kinglet::convert
