// The algebra of 8-bit attention.
#include <algorithm>
#include <set>

#include "base/text.h"
#include "passes/passes.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kTile = 16;

struct Heads {
  uint32_t count, size, padded;  // `size` of each, filled up to `padded`
  uint32_t width() const { return count * size; }
  uint32_t padded_width() const { return count * padded; }
};

// The rows of a projection to heads, multiplied, with zero rows at the end of each head.
class HeadRows final : public Source {
 public:
  HeadRows(Tensor inner, Heads heads, float factor) : inner_(std::move(inner)), heads_(heads), factor_(factor) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    const uint64_t columns = inner_.columns();
    for (const uint64_t end = first + count; first < end;) {
      const uint64_t head = first / heads_.padded, place = first % heads_.padded;
      const bool filler = place >= heads_.size;
      const uint64_t run = std::min<uint64_t>((filler ? heads_.padded : heads_.size) - place, end - first);
      if (filler) {
        std::fill_n(out, run * columns, 0.0f);
      } else {
        inner_.source->read(head * heads_.size + place, run, out);
        std::for_each(out, out + run * columns, [this](float& value) { value *= factor_; });
      }
      out += run * columns;
      first += run;
    }
  }

 private:
  Tensor inner_;
  Heads heads_;
  float factor_;
};

// The rows of a projection from heads, with zero columns at the end of each head.
class HeadColumns final : public Source {
 public:
  HeadColumns(Tensor inner, Heads heads) : inner_(std::move(inner)), heads_(heads) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    std::vector<float> row(heads_.width());
    std::fill_n(out, count * heads_.padded_width(), 0.0f);
    for (uint64_t i = 0; i < count; ++i) {
      inner_.source->read(first + i, 1, row.data());
      for (uint32_t head = 0; head < heads_.count; ++head) {
        std::copy_n(&row[head * heads_.size], heads_.size, out + i * heads_.padded_width() + head * heads_.padded);
      }
    }
  }

 private:
  Tensor inner_;
  Heads heads_;
};

class Folder {
 public:
  explicit Folder(ModelIR& model) : model_(model) {}

  void run() {
    for (Op& op : model_.program) {
      if (auto* attention = std::get_if<AttentionOp>(&op); attention != nullptr && !attention->disentangled) {
        fold(*attention);
      }
    }
    model_.passes.push_back("fold_attention");
  }

 private:
  void fold(AttentionOp& op) {
    const Heads heads = {op.heads, op.head_dim, (op.head_dim + kTile - 1) / kTile * kTile};
    const uint32_t output = output_projection(op.out);
    // Layers that share their matrices share the folded ones.
    if (folded_.insert(op.query).second) {
      move_value_bias(op.value, output);
      if (op.rotary == kNone) {
        model_.matrices[op.key].bias = kNone;
      }
      fold_rows(op.query, heads, op.logit_scale);
      fold_rows(op.key, heads, 1);
      fold_rows(op.value, heads, 1);
      fold_columns(output, heads);
    }
    op.logit_scale = 1;
    op.head_dim = heads.padded;
    model_.values[op.out].width = heads.padded_width();
  }

  // The matrix of the only op that reads the attention's result.
  uint32_t output_projection(uint32_t value) {
    for (const Op& op : model_.program) {
      if (const auto* linear = std::get_if<LinearOp>(&op); linear != nullptr && linear->in == value) {
        return linear->matrix;
      }
    }
    refuse("an attention has no output projection, which 8-bit attention needs");
  }

  void move_value_bias(uint32_t value, uint32_t output) {
    const int32_t value_bias = model_.matrices[value].bias;
    if (value_bias == kNone) {
      return;
    }
    model_.matrices[value].bias = kNone;
    const std::vector<float> moved = model_.tensors[static_cast<uint32_t>(value_bias)].read_all();
    Matrix& matrix = model_.matrices[output];
    const Tensor& weight = model_.tensors[matrix.weight];
    if (matrix.bias == kNone) {
      const auto rows = static_cast<uint32_t>(weight.rows());
      matrix.bias = static_cast<int32_t>(
          model_.add(Tensor{matrix.name + ".bias", {rows}, memory_source(std::vector<float>(rows), rows)}));
    }
    Tensor& bias = model_.tensors[static_cast<uint32_t>(matrix.bias)];
    std::vector<float> sums = bias.read_all();
    std::vector<float> row(model_.tensors[matrix.weight].columns());
    for (size_t i = 0; i < sums.size(); ++i) {
      model_.tensors[matrix.weight].source->read(i, 1, row.data());
      double sum = sums[i];
      for (size_t j = 0; j < row.size(); ++j) {
        sum += static_cast<double>(row[j]) * moved[j];
      }
      sums[i] = static_cast<float>(sum);
    }
    bias.source = memory_source(std::move(sums), bias.columns());
  }

  void fold_rows(uint32_t id, Heads heads, float factor) {
    const Matrix& matrix = model_.matrices[id];
    Tensor& weight = model_.tensors[matrix.weight];
    weight.source = std::make_shared<HeadRows>(weight, heads, factor);
    weight.shape[0] = heads.padded_width();
    if (matrix.bias != kNone) {
      Tensor& bias = model_.tensors[static_cast<uint32_t>(matrix.bias)];
      const std::vector<float> values = bias.read_all();
      std::vector<float> padded(heads.padded_width());
      for (uint32_t i = 0; i < heads.width(); ++i) {
        padded[i / heads.size * heads.padded + i % heads.size] = values[i] * factor;
      }
      bias.shape[0] = heads.padded_width();
      bias.source = memory_source(std::move(padded), bias.columns());
    }
  }

  void fold_columns(uint32_t id, Heads heads) {
    if (heads.padded == heads.size) {
      return;
    }
    Tensor& weight = model_.tensors[model_.matrices[id].weight];
    weight.source = std::make_shared<HeadColumns>(weight, heads);
    weight.shape[1] = heads.padded_width();
  }

  ModelIR& model_;
  std::set<uint32_t> folded_;  // by query matrix
};

}  // namespace

void fold_attention(ModelIR& model) {
  Folder(model).run();
}

}  // namespace kinglet::convert
