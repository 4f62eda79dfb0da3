// Values and output projections made to share their ranges. A value channel and the column of the output projection
// that reads it can be multiplied and divided by the same number without changing a result: attention is linear in the
// values. A channel far larger than the others costs the rounded rows behind it nearly all of their 8 bits.
#include <algorithm>
#include <cmath>
#include <map>

#include "base/text.h"
#include "passes/passes.h"

namespace kinglet::convert {

namespace {

// Rows (or columns) multiplied by powers of two, which changes no digit.
class Scaled final : public Source {
 public:
  Scaled(Tensor inner, std::vector<float> factors, bool by_row)
      : inner_(std::move(inner)), factors_(std::move(factors)), by_row_(by_row) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    inner_.source->read(first, count, out);
    const uint64_t columns = inner_.columns();
    for (uint64_t i = 0; i < count; ++i) {
      for (uint64_t j = 0; j < columns; ++j) {
        out[i * columns + j] *= factors_[by_row_ ? first + i : j];
      }
    }
  }

 private:
  Tensor inner_;
  std::vector<float> factors_;
  bool by_row_;
};

constexpr double kOutlier = 2;        // a channel is left alone when it is off by less than 2 to the power of this
constexpr double kMostExponent = 40;  // beyond, numbers come close to the smallest that there are

class Equalizer {
 public:
  explicit Equalizer(ModelIR& model) : model_(model) {}

  void run() {
    std::map<uint32_t, const AttentionOp*> by_value;  // the pairs to change, by value matrix
    for (const Op& op : model_.program) {
      if (const auto* attention = std::get_if<AttentionOp>(&op)) {
        by_value.emplace(attention->value, attention);
      }
    }
    bool changed = false;
    for (const auto& [value, attention] : by_value) {
      const int64_t output = only_reader(value);
      if (output >= 0) {
        changed = equalize(*attention, value, static_cast<uint32_t>(output)) || changed;
      }
    }
    if (changed) {
      model_.passes.push_back("equalize_attention");
    }
  }

 private:
  // The matrix that alone reads what the value matrix makes, in all layers that share them; -1: there is none.
  int64_t only_reader(uint32_t value) const {
    int64_t reader = -1;
    std::vector<uint32_t> outs;
    for (const Op& op : model_.program) {
      if (const auto* attention = std::get_if<AttentionOp>(&op)) {
        if (attention->query == value || attention->key == value) {
          return -1;
        }
        if (attention->value == value) {
          outs.push_back(attention->out);
        }
        continue;
      }
      const bool reads = std::visit([&](const auto& concrete) { return reads_one(concrete, outs); }, op);
      if (const auto* linear = std::get_if<LinearOp>(&op)) {
        const bool same = reader == static_cast<int64_t>(linear->matrix);
        if (linear->matrix == value || linear->gate == static_cast<int32_t>(value) ||
            (reads && linear->gate != kNone) || (reader >= 0 && reads != same)) {
          return -1;
        }
        reader = reads ? linear->matrix : reader;
      } else if (reads) {
        return -1;
      }
    }
    for (const Output& output : model_.outputs) {
      if (contains(outs, output.value)) {
        return -1;
      }
    }
    return reader >= 0 && alone(value) && alone(static_cast<uint32_t>(reader)) ? reader : -1;
  }

  static bool contains(const std::vector<uint32_t>& list, uint32_t id) {
    return std::find(list.begin(), list.end(), id) != list.end();
  }
  static bool reads_one(const EmbedOp&, const std::vector<uint32_t>&) { return false; }
  static bool reads_one(const AddNormOp& op, const std::vector<uint32_t>& values) {
    return contains(values, op.in) || (op.residual != kNone && contains(values, static_cast<uint32_t>(op.residual)));
  }
  template <typename T>
  static bool reads_one(const T& op, const std::vector<uint32_t>& values) {
    if constexpr (std::is_same_v<T, AttentionOp>) {
      return contains(values, op.query_in) || contains(values, op.key_in) || contains(values, op.value_in);
    } else {
      return contains(values, op.in);
    }
  }

  // Whether no other matrix or table has this one's weight.
  bool alone(uint32_t matrix) const {
    const uint32_t weight = model_.matrices[matrix].weight;
    for (uint32_t i = 0; i < model_.matrices.size(); ++i) {
      if (i != matrix && model_.matrices[i].weight == weight) {
        return false;
      }
    }
    for (const Op& op : model_.program) {
      if (const auto* embed = std::get_if<EmbedOp>(&op)) {
        for (const EmbedTable& entry : embed->tables) {
          if (entry.table == weight) {
            return false;
          }
        }
      }
    }
    return true;
  }

  // The square of what a channel of `value` in is expected to be, from the norm that makes it: its offset and its
  // spread; 1 where no norm does.
  std::vector<double> expected_squares(uint32_t value) const {
    std::vector<double> squares(model_.values[value].width, 1.0);
    for (const Op& op : model_.program) {
      int32_t norm = kNone;
      if (const auto* embed = std::get_if<EmbedOp>(&op); embed != nullptr && embed->out == value) {
        norm = embed->norm;
      } else if (const auto* add = std::get_if<AddNormOp>(&op); add != nullptr && add->out == value) {
        norm = add->norm;
      }
      if (norm == kNone || model_.norms[static_cast<size_t>(norm)].kind != fmt::NormKind::layer) {
        continue;
      }
      const Norm& found = model_.norms[static_cast<size_t>(norm)];
      const std::vector<float> weight = model_.tensors[found.weight].read_all();
      for (size_t i = 0; i < squares.size(); ++i) {
        squares[i] = static_cast<double>(weight[i]) * weight[i];
      }
      if (found.bias != kNone) {
        const std::vector<float> bias = model_.tensors[static_cast<size_t>(found.bias)].read_all();
        for (size_t i = 0; i < squares.size(); ++i) {
          squares[i] += static_cast<double>(bias[i]) * bias[i];
        }
      }
    }
    return squares;
  }

  // Whether anything was changed.
  bool equalize(const AttentionOp& op, uint32_t value, uint32_t output) {
    Tensor& rows = model_.tensors[model_.matrices[value].weight];
    Tensor& columns = model_.tensors[model_.matrices[output].weight];
    const std::vector<double> in = expected_squares(op.value_in);
    const int32_t bias_id = model_.matrices[value].bias;
    const std::vector<float> bias =
        bias_id == kNone ? std::vector<float>() : model_.tensors[static_cast<size_t>(bias_id)].read_all();
    std::vector<double> made(rows.rows()), read(rows.rows());  // squares
    std::vector<float> row(std::max(rows.columns(), columns.columns()));
    for (uint64_t i = 0; i < rows.rows(); ++i) {
      rows.source->read(i, 1, row.data());
      made[i] = bias.empty() ? 0 : static_cast<double>(bias[i]) * bias[i];
      for (uint64_t j = 0; j < rows.columns(); ++j) {
        made[i] += static_cast<double>(row[j]) * row[j] * in[j];
      }
    }
    for (uint64_t i = 0; i < columns.rows(); ++i) {
      columns.source->read(i, 1, row.data());
      for (uint64_t j = 0; j < columns.columns(); ++j) {
        read[j] += static_cast<double>(row[j]) * row[j];
      }
    }
    return scale_outliers(made, read, &rows, &columns, bias_id);
  }

  // `made` and `read` are squares: of what a channel is expected to be, and of the column that reads it.
  bool scale_outliers(const std::vector<double>& made, const std::vector<double>& read, Tensor* rows, Tensor* columns,
                      int32_t bias_id) {
    std::vector<double> exponents, sorted;  // of two; 0 would share the ranges out evenly
    for (size_t i = 0; i < made.size(); ++i) {
      const bool scalable = made[i] > 0 && read[i] > 0 && std::isfinite(made[i]) && std::isfinite(read[i]);
      exponents.push_back(scalable ? std::log2(read[i] / made[i]) / 4 : std::nan(""));
      if (scalable) {
        sorted.push_back(exponents.back());
      }
    }
    if (sorted.empty()) {
      return false;
    }
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
    const double usual = sorted[sorted.size() / 2];
    std::vector<float> factors(made.size(), 1.0f), inverses(made.size(), 1.0f);
    bool changed = false;
    for (size_t i = 0; i < made.size(); ++i) {
      const double exponent = exponents[i] - usual;
      if (std::abs(exponent) >= kOutlier && std::abs(exponent) <= kMostExponent) {
        factors[i] = std::ldexp(1.0f, static_cast<int>(std::lround(exponent)));
        inverses[i] = std::ldexp(1.0f, -static_cast<int>(std::lround(exponent)));
        changed = true;
      }
    }
    if (!changed) {
      return false;
    }
    rows->source = std::make_shared<Scaled>(*rows, factors, true);
    columns->source = std::make_shared<Scaled>(*columns, inverses, false);
    if (bias_id != kNone) {
      Tensor& tensor = model_.tensors[static_cast<size_t>(bias_id)];
      tensor.source = std::make_shared<Scaled>(tensor, factors, false);
    }
    return true;
  }

  ModelIR& model_;
};

}  // namespace

void equalize_attention(ModelIR& model) {
  Equalizer(model).run();
}

}  // namespace kinglet::convert
