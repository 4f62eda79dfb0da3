// The weights section: blocks one after the other, each at a multiple of 64.
#include "writer/layout.h"

#include <map>
#include <tuple>

#include "format/header.h"

namespace kinglet::convert {

namespace {

uint64_t round_up(uint64_t value, uint64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

class Planner {
 public:
  explicit Planner(const ModelIR& model) : model_(model) {}

  Layout run() {
    for (const Op& op : model_.program) {
      if (const auto* embed = std::get_if<EmbedOp>(&op)) {
        layout_.tables.emplace_back();
        for (const EmbedTable& entry : embed->tables) {
          layout_.tables.back().push_back(add_table(entry.table));
        }
      } else if (const auto* attention = std::get_if<AttentionOp>(&op)) {
        layout_.attentions.push_back(add_attention(*attention));
      }
    }
    for (const Matrix& matrix : model_.matrices) {
      layout_.matrices.push_back(add_matrix(matrix));
    }
    for (const Norm& norm : model_.norms) {
      layout_.norms.push_back({add_vector(norm.weight), norm.bias == kNone ? kNone : add_id(norm.bias)});
    }
    layout_.bytes = round_up(layout_.bytes, format::kPartAlignment);
    return std::move(layout_);
  }

 private:
  TableBlocks add_table(uint32_t id) {
    const Tensor& table = model_.tensors[id];
    TableBlocks blocks = {add_weight(id), kNone};
    if (table.storage != Storage::f32) {
      blocks.scale = static_cast<int32_t>(add_scales(id, table.rows()));
    }
    return blocks;
  }

  AttentionBlocks add_attention(const AttentionOp& op) {
    AttentionBlocks blocks;
    const auto add_if = [&](int32_t tensor, int32_t* table, int32_t* scale) {
      if (tensor != kNone) {
        const TableBlocks added = add_table(static_cast<uint32_t>(tensor));
        *table = static_cast<int32_t>(added.table);
        *scale = added.scale;
      }
    };
    int32_t unscaled = kNone;
    add_if(op.relative_bias, &blocks.relative_bias, &unscaled);
    add_if(op.rotary, &blocks.rotary, &unscaled);
    if (op.disentangled) {
      add_if(op.disentangled->content_to_position, &blocks.content_to_position, &blocks.content_to_position_scale);
      add_if(op.disentangled->position_to_content, &blocks.position_to_content, &blocks.position_to_content_scale);
    }
    return blocks;
  }

  MatrixBlocks add_matrix(const Matrix& matrix) {
    const Tensor& weight = model_.tensors[matrix.weight];
    MatrixBlocks blocks = {add_weight(matrix.weight), kNone, kNone, kNone, kNone};
    uint64_t length = weight.rows();
    if (weight.storage != Storage::f32) {
      length = round_up(length, 16);
      blocks.scale = static_cast<int32_t>(add_scales(matrix.weight, length));
      blocks.column_sum =
          static_cast<int32_t>(add(weight.name + ".column_sum", fmt::DType::s32, fmt::Layout::rows,
                                   {static_cast<uint32_t>(length)}, Content::column_sums, matrix.weight));
    }
    if (matrix.bias != kNone) {
      blocks.bias = add_id(matrix.bias, length);
    }
    if (matrix.input_scale != kNone) {
      blocks.input_scale = add_id(matrix.input_scale);
    }
    return blocks;
  }

  uint32_t add_weight(uint32_t id) {
    const Tensor& tensor = model_.tensors[id];
    const bool rounded = tensor.storage != Storage::f32;
    return add(tensor.name, rounded ? fmt::DType::s8 : fmt::DType::f32,
               tensor.storage == Storage::s8_tile ? fmt::Layout::tile16x8 : fmt::Layout::rows, tensor.shape,
               rounded ? Content::rounded : Content::values, id);
  }

  uint32_t add_scales(uint32_t id, uint64_t length) {
    return add(model_.tensors[id].name + ".scale", fmt::DType::f32, fmt::Layout::rows, {static_cast<uint32_t>(length)},
               Content::scales, id);
  }

  // A vector, filled up to `length` (0: as it is).
  uint32_t add_vector(uint32_t id, uint64_t length = 0) {
    const Tensor& tensor = model_.tensors[id];
    return add(tensor.name, fmt::DType::f32, fmt::Layout::rows,
               {static_cast<uint32_t>(length == 0 ? tensor.columns() : length)}, Content::values, id);
  }

  int32_t add_id(int32_t id, uint64_t length = 0) {
    return static_cast<int32_t>(add_vector(static_cast<uint32_t>(id), length));
  }

  // A block, or the one that is there already with the same content.
  uint32_t add(std::string name, fmt::DType dtype, fmt::Layout layout, std::vector<uint32_t> shape, Content content,
               uint32_t tensor) {
    const auto id = static_cast<uint32_t>(layout_.blocks.size());
    const auto [place, added] = known_.emplace(std::tuple(tensor, content, shape), id);
    if (!added) {
      return place->second;
    }
    uint64_t elements = shape[0];
    if (shape.size() == 2) {
      elements = layout == fmt::Layout::tile16x8 ? round_up(shape[0], 16) * round_up(shape[1], 8) : elements * shape[1];
    }
    const uint64_t bytes = dtype == fmt::DType::s8 ? elements : elements * 4;
    layout_.bytes = round_up(layout_.bytes, format::kPartAlignment);
    layout_.blocks.push_back({std::move(name), dtype, layout, std::move(shape), layout_.bytes, bytes, content, tensor});
    layout_.bytes += bytes;
    return id;
  }

  const ModelIR& model_;
  Layout layout_;
  std::map<std::tuple<uint32_t, Content, std::vector<uint32_t>>, uint32_t> known_;
};

}  // namespace

Layout plan_layout(const ModelIR& model) {
  return Planner(model).run();
}

}  // namespace kinglet::convert
