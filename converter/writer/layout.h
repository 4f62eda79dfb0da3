// Where every tensor of the file lies, before any of it is written.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

// What a block of the weights section holds of an IR tensor.
enum class Content : uint8_t {
  values,      // f32, filled up with zeros to the shape
  rounded,     // s8
  scales,      // of the rounded rows, filled up with zeros
  column_sums  // of the rounded rows, filled up with zeros
};

struct Block {
  std::string name;
  fmt::DType dtype;
  fmt::Layout layout;
  std::vector<uint32_t> shape;
  uint64_t offset = 0, bytes = 0;
  Content content;
  uint32_t tensor;  // in ModelIR.tensors
};

// Ids of blocks, as fmt::Matrix has them.
struct MatrixBlocks {
  uint32_t weight;
  int32_t scale = kNone, column_sum = kNone, bias = kNone, input_scale = kNone;
};

struct TableBlocks {
  uint32_t table;
  int32_t scale = kNone;
};

struct NormBlocks {
  uint32_t weight;
  int32_t bias = kNone;
};

// Of one AttentionOp; tables as fmt::Attention and fmt::Disentangled have them.
struct AttentionBlocks {
  int32_t relative_bias = kNone, rotary = kNone;
  int32_t content_to_position = kNone, content_to_position_scale = kNone;
  int32_t position_to_content = kNone, position_to_content_scale = kNone;
};

struct Layout {
  std::vector<Block> blocks;  // in the order of the file; scales and sums come after what they belong to
  std::vector<MatrixBlocks> matrices;
  std::vector<NormBlocks> norms;
  std::vector<std::vector<TableBlocks>> tables;  // of each EmbedOp, in the program's order
  std::vector<AttentionBlocks> attentions;       // likewise
  uint64_t bytes = 0;                            // of the weights section
};

Layout plan_layout(const ModelIR& model);

}  // namespace kinglet::convert
