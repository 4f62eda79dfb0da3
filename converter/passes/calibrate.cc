// Calibration: the program is run as far as a group of matrices, in fp32 and in 8 bits as far as that is decided, and
// what the group reads in both decides its rounding.
#include "passes/calibrate.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "base/parallel.h"
#include "base/text.h"
#include "calibrate/activations.h"
#include "passes/linear_groups.h"
#include "passes/round_matrix.h"
#include "passes/smoothing.h"

namespace kinglet::convert {

namespace {

constexpr size_t kInputsAtOnce = 16;
constexpr size_t kScaleRows = 1024;  // rows that input scales are chosen by
constexpr double kWeightShare = 0.5;
constexpr size_t kExactFloats = size_t{48} << 20;  // of the fp32 program's rows that are held at once, about

// 8-bit numbers times their rows' scales.
class RoundedSource final : public Source {
 public:
  RoundedSource(std::vector<int8_t> q, std::shared_ptr<const std::vector<float>> scales)
      : q_(std::move(q)), scales_(std::move(scales)) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    const size_t columns = q_.size() / scales_->size();
    for (uint64_t i = first; i < first + count; ++i) {
      for (size_t j = 0; j < columns; ++j) {
        *out++ = static_cast<float>(q_[i * columns + j]) * (*scales_)[i];
      }
    }
  }

 private:
  std::vector<int8_t> q_;
  std::shared_ptr<const std::vector<float>> scales_;
};

// What the runtime makes of a row: multiplied, rounded to 8 bits, and back (kernels.h, QuantizeRows).
void round_input(const float* x, const std::vector<float>& scale, size_t count, float* out) {
  constexpr float kMagic = 0x1.8p23f;
  float low = 0, high = 0;
  for (size_t j = 0; j < count; ++j) {
    out[j] = scale.empty() ? x[j] : x[j] * scale[j];
    low = out[j] < low ? out[j] : low;
    high = out[j] > high ? out[j] : high;
  }
  if (high - low < 0x1p-100f) {
    std::fill_n(out, count, 0.0f);
    return;
  }
  const float inverse = 255.0f / (high - low), step = (high - low) / 255.0f;
  const float zero = (-128.0f - low * inverse) + kMagic - kMagic;
  for (size_t j = 0; j < count; ++j) {
    const float q = (out[j] * inverse + kMagic - kMagic) + zero;
    out[j] = ((q < -128 ? -128.0f : q > 127 ? 127.0f : q) - zero) * step;
  }
}

class Calibrator {
 public:
  Calibrator(ModelIR& model, const ModelIR& exact, const CompiledTokenizer* tokenizer, const CalibrateOptions& options)
      : model_(model), exact_(exact), tokenizer_(tokenizer), options_(options), groups_(find_linear_groups(model)) {
    run_options_.threads = static_cast<uint32_t>(thread_count());
  }

  void run() {
    for (const LinearGroup& group : groups_) {
      for (const uint32_t matrix : group.matrices) {
        model_.tensors[model_.matrices[matrix].weight].storage = Storage::f32;
      }
    }
    for (size_t i = 0; i < groups_.size(); ++i) {
      options_.progress(static_cast<double>(i) / static_cast<double>(groups_.size()));
      decide(i);
    }
    model_.passes.push_back("calibrate(" + options_.description + ")");
  }

 private:
  using Inputs = std::vector<CalibrationInput>;

  void decide(size_t place) {
    const LinearGroup& group = groups_[place];
    load_exact_rows(place);
    const std::vector<float> wanted = std::move(exact_rows_[place]);
    exact_rows_.erase(place);
    WatchedModel rounded(model_, tokenizer_, group.inputs, run_options_);
    const size_t width = model_.values[group.inputs[0]].width;
    const Grid weight = stacked_weights(group);
    const std::vector<float> scale = choose_input_scale(some_rows(wanted, width), weight, kWeightShare);
    const InputMoments moments = collect(wanted, rounded, scale, width);
    if (moments.count == 0) {
      refuse("the calibration texts have no tokens");
    }
    int32_t scale_id = kNone;
    if (!scale.empty()) {
      const std::string name = model_.matrices[group.matrices[0]].name + ".input_scale";
      scale_id =
          static_cast<int32_t>(model_.add(Tensor{name, {static_cast<uint32_t>(width)}, memory_source(scale, width)}));
    }
    std::unique_ptr<InputMoments> about_means;
    for (const uint32_t id : group.matrices) {
      const bool constants_matter = model_.matrices[id].bias == kNone && !ignores_constants(model_, id);
      if (!constants_matter && about_means == nullptr) {
        about_means = std::make_unique<InputMoments>(centred(moments));
      }
      apply(id, scale, scale_id, constants_matter ? moments : *about_means);
    }
    // Layers may name one weight by several matrices.
    for (Matrix& matrix : model_.matrices) {
      for (const uint32_t id : group.matrices) {
        if (matrix.weight == model_.matrices[id].weight) {
          matrix.input_scale = scale_id;
        }
      }
    }
  }

  Grid stacked_weights(const LinearGroup& group) const {
    Grid all;
    for (const uint32_t matrix : group.matrices) {
      const std::vector<float> rows = exact_.weight_of(matrix).read_all();
      all.columns = exact_.weight_of(matrix).columns();
      all.data.insert(all.data.end(), rows.begin(), rows.end());
    }
    all.rows = all.data.size() / all.columns;
    return all;
  }

  // Runs the fp32 program for this group and as many of the next as there is memory for; their rows, by input.
  void load_exact_rows(size_t place) {
    if (exact_rows_.contains(place)) {
      return;
    }
    std::vector<uint32_t> values;
    std::vector<size_t> owners;
    size_t floats = 0;
    for (size_t i = place; i < groups_.size(); ++i) {
      // The first time the number of rows is not known; one group tells.
      floats += row_count_ * groups_[i].inputs.size() * model_.values[groups_[i].inputs[0]].width;
      if (i > place && (row_count_ == 0 || floats > kExactFloats)) {
        break;
      }
      values.insert(values.end(), groups_[i].inputs.begin(), groups_[i].inputs.end());
      owners.insert(owners.end(), groups_[i].inputs.size(), i);
    }
    WatchedModel exact(exact_, tokenizer_, values, run_options_);
    exact.run(options_.inputs, [&](const ValueRows& rows) {
      std::vector<float>& list = exact_rows_[owners[rows.which]];
      list.insert(list.end(), rows.data, rows.data + rows.rows * rows.width);
    });
    row_count_ = std::max(row_count_, exact_rows_[place].size() / groups_[place].inputs.size() /
                                          model_.values[groups_[place].inputs[0]].width);
  }

  // Rows evenly from all.
  static Grid some_rows(const std::vector<float>& all, size_t width) {
    const size_t count = all.size() / width, step = std::max<size_t>(count / kScaleRows, 1);
    Grid rows;
    rows.columns = width;
    for (size_t i = 0; i < count; i += step) {
      rows.data.insert(rows.data.end(), &all[i * width], &all[i * width] + width);
    }
    rows.rows = rows.data.size() / width;
    return rows;
  }

  Inputs part_of_inputs(size_t first) const {
    const size_t end = std::min(options_.inputs.size(), first + kInputsAtOnce);
    return {options_.inputs.begin() + static_cast<std::ptrdiff_t>(first),
            options_.inputs.begin() + static_cast<std::ptrdiff_t>(end)};
  }

  InputMoments collect(const std::vector<float>& wanted, WatchedModel& rounded, const std::vector<float>& scale,
                       size_t width) {
    const float* next = wanted.data();
    InputMoments moments = {Grid(width, width), Grid(width, width), std::vector<double>(width),
                            std::vector<double>(width), 0};
    for (size_t first = 0; first < options_.inputs.size(); first += kInputsAtOnce) {
      const Inputs inputs = part_of_inputs(first);
      std::vector<float> seen;
      rounded.run(inputs,
                  [&](const ValueRows& rows) { seen.insert(seen.end(), rows.data, rows.data + rows.rows * width); });
      const size_t count = seen.size() / width;
      std::vector<float> drift(next, next + seen.size());
      next += seen.size();
      for (size_t i = 0; i < count; ++i) {
        float* row = &seen[i * width];
        float* other = &drift[i * width];
        round_input(row, scale, width, row);
        for (size_t j = 0; j < width; ++j) {
          const float exact_value = scale.empty() ? other[j] : other[j] * scale[j];
          moments.seen_sum[j] += row[j];
          moments.exact_sum[j] += exact_value;
          other[j] = exact_value - row[j];
        }
      }
      moments.count += count;
      add_outer(seen.data(), width, seen.data(), width, count, &moments.squares);
      add_outer(drift.data(), width, seen.data(), width, count, &moments.drift);
    }
    return moments;
  }

  void apply(uint32_t id, const std::vector<float>& scale, int32_t scale_id, const InputMoments& moments) {
    Matrix& matrix = model_.matrices[id];
    Tensor& tensor = model_.tensors[matrix.weight];
    Grid w(tensor.rows(), tensor.columns());
    w.data = exact_.weight_of(id).read_all();
    if (!scale.empty()) {
      for (size_t i = 0; i < w.rows; ++i) {
        for (size_t j = 0; j < w.columns; ++j) {
          w.row(i)[j] /= scale[j];
        }
      }
    }
    RoundedMatrix rounded = round_matrix(w, moments);
    if (matrix.bias != kNone) {
      correct_bias(id, w, rounded, moments);
    }
    const auto scales = std::make_shared<const std::vector<float>>(std::move(rounded.scales));
    tensor.row_scales = scales;
    tensor.source = std::make_shared<RoundedSource>(std::move(rounded.q), scales);
    tensor.storage = Storage::s8_tile;
    matrix.input_scale = scale_id;
  }

  // The mean of what the exact matrix makes of the exact inputs, less that of the rounded ones.
  void correct_bias(uint32_t id, const Grid& w, const RoundedMatrix& rounded, const InputMoments& moments) {
    const Matrix& matrix = model_.matrices[id];
    Tensor& bias = model_.tensors[static_cast<size_t>(matrix.bias)];
    std::vector<float> values = exact_.tensors[static_cast<size_t>(exact_.matrices[id].bias)].read_all();
    for (size_t i = 0; i < w.rows; ++i) {
      double sum = 0;
      for (size_t j = 0; j < w.columns; ++j) {
        sum += static_cast<double>(w.row(i)[j]) * moments.exact_sum[j];
        sum -= static_cast<double>(rounded.scales[i]) * rounded.q[i * w.columns + j] * moments.seen_sum[j];
      }
      values[i] += static_cast<float>(sum / static_cast<double>(moments.count));
    }
    bias.source = memory_source(std::move(values), bias.columns());
  }

  ModelIR& model_;
  const ModelIR& exact_;
  const CompiledTokenizer* tokenizer_;
  const CalibrateOptions& options_;
  std::map<size_t, std::vector<float>> exact_rows_;  // of the next groups, by their place
  size_t row_count_ = 0;                             // of one group's value
  std::vector<LinearGroup> groups_;
  RunOptions run_options_;
};

}  // namespace

void calibrate(ModelIR& model, const ModelIR& exact, const CompiledTokenizer* tokenizer,
               const CalibrateOptions& options) {
  Calibrator(model, exact, tokenizer, options).run();
}

}  // namespace kinglet::convert
