// A model between checkpoint and file: named tensors that are read lazily, and the program over them, in the shape of
// runtime/format/model.fbs. Families make it, passes change it, the writer stores it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "ir/tensor.h"
#include "model_generated.h"

namespace kinglet::convert {

inline constexpr int32_t kNone = -1;

// y = x·Wᵀ + b. Ids are places in ModelIR.tensors.
struct Matrix {
  std::string name;  // as people and --keep-fp32 call it: the tensor's name without ".weight"
  uint32_t weight = 0;
  int32_t bias = kNone;
  bool head = false;  // makes a model's last numbers: stays f32 where it is small
  // A vector that the input is multiplied by before it is rounded; the weight is the one for the multiplied input. Only
  // where the weight is stored in 8 bits.
  int32_t input_scale = kNone;
};

struct Norm {
  fmt::NormKind kind = fmt::NormKind::layer;
  uint32_t weight = 0;
  int32_t bias = kNone;
  float epsilon = 0;
};

struct Value {
  fmt::Extent extent;
  uint32_t width;
};

struct EmbedTable {
  fmt::EmbedIndex index;
  uint32_t table;
  uint32_t base = 0;
  uint32_t column = 0;
};

// The ops of model.fbs; the fields mean the same there.
struct EmbedOp {
  std::vector<EmbedTable> tables;
  int32_t norm = kNone;
  uint32_t out = 0;
};
struct LinearOp {
  uint32_t in = 0, matrix = 0;
  int32_t gate = kNone;
  fmt::Activation activation = fmt::Activation::none;
  uint32_t out = 0;
};
// Ids are tensors.
struct Disentangled {
  int32_t content_to_position = kNone, position_to_content = kNone;
  std::shared_ptr<const std::vector<uint32_t>> rows;  // layers share it
};
struct AttentionOp {
  uint32_t query_in = 0, key_in = 0, value_in = 0;
  uint32_t query = 0, key = 0, value = 0;
  uint32_t heads = 0, head_dim = 0;
  float logit_scale = 1;
  bool quantized = false;
  uint32_t out = 0;
  int32_t relative_bias = kNone, rotary = kNone;  // tensors
  uint32_t window = 0;
  std::optional<Disentangled> disentangled = {};
};
struct AddNormOp {
  uint32_t in = 0;
  int32_t residual = kNone, norm = kNone;
  uint32_t out = 0;
};
struct PoolOp {
  uint32_t in = 0;
  fmt::PoolKind kind = fmt::PoolKind::first;
  uint32_t out = 0;
};
struct NormalizeOp {
  uint32_t in = 0, out = 0;
};
struct NeighboursOp {
  uint32_t in = 0, before = 0, after = 0, out = 0;
};
using Op = std::variant<EmbedOp, LinearOp, AttentionOp, AddNormOp, PoolOp, NormalizeOp, NeighboursOp>;

struct Output {
  std::string name;
  uint32_t value = 0;
  int32_t column = kNone;
};

struct Prompt {
  std::string name, text;
};

// Of the tokenizer, for tasks; see model.fbs.
struct SpecialTokens {
  int32_t cls = kNone, mask = kNone, unknown = kNone;
  bool marked_pieces = false, clean_up_spaces = false;
};

struct ModelIR {
  std::string architecture;
  std::vector<Tensor> tensors;
  std::vector<Matrix> matrices;
  std::vector<Norm> norms;
  std::vector<Value> values;
  std::vector<Op> program;
  std::vector<Output> outputs;
  uint32_t max_length = 0, max_positions = 0, vocabulary = 0, type_count = 0;
  fmt::Task task = fmt::Task::none;
  fmt::Scoring scoring = fmt::Scoring::softmax;
  std::vector<std::string> labels;
  int32_t embedding = kNone, logits = kNone;
  SpecialTokens special_tokens;
  fmt::Scoring rank_scoring = fmt::Scoring::sigmoid;  // of a cross-encoder
  std::vector<Prompt> prompts;
  int32_t default_prompt = kNone;
  std::vector<std::string> passes;  // applied so far, with their settings

  // Appends, and returns the new id.
  uint32_t add(Tensor tensor);
  uint32_t add(Matrix matrix);
  uint32_t add(Norm norm);

  // Each appends an op with a value of its own for the result, and returns that value's id.
  uint32_t embed(std::vector<EmbedTable> tables, int32_t norm);
  uint32_t linear(uint32_t in, uint32_t matrix, fmt::Activation activation = fmt::Activation::none,
                  int32_t gate = kNone);
  uint32_t attention(uint32_t in, uint32_t query, uint32_t key, uint32_t value, uint32_t heads, uint32_t head_dim);
  uint32_t attention(uint32_t keys_in, uint32_t values_in, uint32_t query, uint32_t key, uint32_t value, uint32_t heads,
                     uint32_t head_dim);  // queries and keys from one value, values from another
  uint32_t add_norm(uint32_t in, int32_t residual, int32_t norm);
  uint32_t pool(uint32_t in, fmt::PoolKind kind);
  uint32_t normalize(uint32_t in);
  uint32_t neighbours(uint32_t in, uint32_t before, uint32_t after);

  // Its last op, when that is an attention: for what only some families set.
  AttentionOp& last_attention() { return std::get<AttentionOp>(program.back()); }

  const Tensor& weight_of(uint32_t matrix) const { return tensors[matrices[matrix].weight]; }
};

}  // namespace kinglet::convert
