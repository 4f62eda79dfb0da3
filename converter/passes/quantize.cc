// Which tensors are stored in 8 bits. How a row is rounded is passes/rounding.h's matter.
#include <algorithm>

#include "base/text.h"
#include "passes/passes.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kSmallTable = 16;
constexpr uint64_t kSmallHead = 64;

std::string table_name(const Tensor& tensor) {
  constexpr std::string_view kEnd = ".weight";
  return tensor.name.ends_with(kEnd) ? tensor.name.substr(0, tensor.name.size() - kEnd.size()) : tensor.name;
}

// The patterns, and which of them have matched something.
class KeepList {
 public:
  explicit KeepList(const std::vector<std::string>& patterns) : patterns_(patterns), used_(patterns.size()) {}

  bool contains(const std::string& name) {
    bool found = false;
    for (size_t i = 0; i < patterns_.size(); ++i) {
      if (glob_match(patterns_[i], name)) {
        used_[i] = true;
        found = true;
      }
    }
    return found;
  }

  void refuse_unused(const std::string& example) const {
    for (size_t i = 0; i < patterns_.size(); ++i) {
      if (!used_[i]) {
        refuse("the pattern ", quote(patterns_[i]), " of matrices that stay fp32 matches none; they have names like ",
               example);
      }
    }
  }

 private:
  const std::vector<std::string>& patterns_;
  std::vector<bool> used_;
};

void quantize_table(ModelIR& model, uint32_t id, KeepList& keep) {
  Tensor& table = model.tensors[id];
  const bool kept = keep.contains(table_name(table));
  const bool is_matrix = std::any_of(model.matrices.begin(), model.matrices.end(),
                                     [&](const Matrix& matrix) { return matrix.weight == id; });
  if (kept) {
    table.storage = Storage::f32;  // a tied matrix with it
  } else if (!is_matrix && table.rows() > kSmallTable) {
    table.storage = Storage::s8_rows;
  }
}

}  // namespace

void prepare_attention(ModelIR& model) {
  fold_attention(model);
  equalize_attention(model);
}

void quantize(ModelIR& model, const std::vector<std::string>& keep_fp32) {
  KeepList keep(keep_fp32);
  for (const Matrix& matrix : model.matrices) {
    Tensor& weight = model.tensors[matrix.weight];
    const bool kept = keep.contains(matrix.name);
    const bool small_head = matrix.head && weight.rows() < kSmallHead;
    weight.storage = kept || small_head ? Storage::f32 : Storage::s8_tile;
  }
  for (Op& op : model.program) {
    if (const auto* embed = std::get_if<EmbedOp>(&op)) {
      for (const EmbedTable& entry : embed->tables) {
        quantize_table(model, entry.table, keep);
      }
    } else if (auto* attention = std::get_if<AttentionOp>(&op)) {
      attention->quantized = !attention->disentangled;
      if (attention->disentangled) {
        for (const int32_t table :
             {attention->disentangled->content_to_position, attention->disentangled->position_to_content}) {
          if (table != kNone) {
            quantize_table(model, static_cast<uint32_t>(table), keep);
          }
        }
      }
    }
  }
  keep.refuse_unused(model.matrices.empty() ? "none" : model.matrices.front().name);
  std::string setting = "quantize(int8";
  for (const std::string& pattern : keep_fp32) {
    setting += ", fp32 " + pattern;
  }
  model.passes.push_back(setting + ")");
}

}  // namespace kinglet::convert
