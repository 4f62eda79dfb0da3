// The passes to 8 bits.
#include "quantize_model.h"

#include <algorithm>
#include <functional>
#include <sstream>

#include "base/text.h"
#include "passes/calibrate.h"
#include "passes/passes.h"
#include "passes/sensitivity.h"

namespace kinglet::convert {

namespace {

constexpr size_t kSensitivityTexts = 32;

class Quantizer {
 public:
  Quantizer(const ConvertOptions& options, const CompiledTokenizer* tokenizer, const Progress& progress, ModelIR* model,
            ConvertResult* result)
      : options_(options), tokenizer_(tokenizer), progress_(progress), model_(*model), result_(*result) {}

  void run() {
    const bool wants_texts = !options_.calibration.empty();
    const bool measures = options_.sensitivity || options_.max_loss;
    if (measures && !wants_texts) {
      refuse("the sensitivity of matrices is measured on texts, expected --calibration F");
    }
    if (wants_texts) {
      read_texts();
    }
    prepare_attention(model_);
    const ModelIR exact = model_;
    quantize(model_, options_.keep_fp32);
    const ModelIR rounded = model_;
    if (wants_texts) {
      calibrate(model_, exact, tokenizer_,
                {inputs_, description_, [&](double fraction) { progress_("calibrating", 0.05 + 0.5 * fraction); }});
    }
    if (measures) {
      measure(exact, rounded);
    }
  }

 private:
  void read_texts() {
    if (tokenizer_ == nullptr) {
      refuse(options_.source.string(), ": has no tokenizer, which calibration texts need");
    }
    // An embedding model sees the texts of a pair one by one.
    const CalibrationTexts texts = read_calibration_texts(options_.calibration, model_.task == fmt::Task::embed);
    inputs_ = draw_inputs(texts, options_.calibration_texts, options_.calibration_seed);
    std::ostringstream text;
    text << inputs_.size() << " texts of " << options_.calibration.filename().string() << ", seed "
         << options_.calibration_seed;
    description_ = text.str();
  }

  void measure(const ModelIR& exact, const ModelIR& rounded) {
    const std::vector<CalibrationInput> few(
        inputs_.begin(), inputs_.begin() + static_cast<std::ptrdiff_t>(std::min(kSensitivityTexts, inputs_.size())));
    const std::vector<MatrixSensitivity> list =
        measure_sensitivity(rounded, exact, tokenizer_, few,
                            [&](double fraction) { progress_("measuring matrices", 0.55 + 0.25 * fraction); });
    result_.sensitivity_meaning = kSensitivityMeaning;
    for (const MatrixSensitivity& entry : list) {
      result_.sensitivities.push_back({exact.matrices[entry.matrix].name, entry.error, false});
    }
    if (!options_.max_loss) {
      return;
    }
    progress_("choosing what stays fp32", 0.8);
    KeptMatrices kept;
    std::string measured_on;
    if (options_.dev.empty()) {
      kept = keep_most_sensitive(model_, exact, list, *options_.max_loss, AgreementLoss(exact, tokenizer_, inputs_));
      measured_on = "agreement on " + description_;
    } else {
      const MetricLoss loss(exact, tokenizer_, options_.dev.string());
      kept = keep_most_sensitive(model_, exact, list, *options_.max_loss, std::ref(loss));
      measured_on = loss.metric() + " of " + options_.dev.filename().string();
    }
    for (const uint32_t matrix : kept.matrices) {
      for (Sensitivity& entry : result_.sensitivities) {
        entry.kept_fp32 = entry.kept_fp32 || entry.matrix == exact.matrices[matrix].name;
      }
    }
    std::ostringstream text;
    text << "max_loss(" << *options_.max_loss << " points, " << measured_on << ": " << kept.loss << " with "
         << kept.matrices.size() << " matrices in fp32)";
    model_.passes.push_back(text.str());
    result_.notes.push_back(text.str());
  }

  const ConvertOptions& options_;
  const CompiledTokenizer* tokenizer_;
  const Progress& progress_;
  ModelIR& model_;
  ConvertResult& result_;
  std::vector<CalibrationInput> inputs_;
  std::string description_;
};

}  // namespace

void quantize_model(const ConvertOptions& options, const CompiledTokenizer* tokenizer, const Progress& progress,
                    ModelIR* model, ConvertResult* result) {
  Quantizer(options, tokenizer, progress, model, result).run();
}

}  // namespace kinglet::convert
