// Which matrices a model's answers are sensitive to, and which of them to keep in fp32.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "calibrate/texts.h"
#include "ir/model_ir.h"
#include "report/report.h"
#include "tokenizers/compile.h"

namespace kinglet::convert {

// What Sensitivity::error means here.
extern const char* const kSensitivityMeaning;

// The value that a model's answer is: its embedding, its logits, or its first output.
uint32_t answer_value(const ModelIR& model);

struct MatrixSensitivity {
  uint32_t matrix;  // id in both models
  double error;
};

// For every matrix that `model` stores in 8 bits, in the order of the program: √(Σ‖y − y′‖²/Σ‖y‖²) over the answers to
// the inputs, y of `exact` and y′ of `exact` with this one matrix rounded and its input with it. Throws Error.
std::vector<MatrixSensitivity> measure_sensitivity(const ModelIR& model, const ModelIR& exact,
                                                   const CompiledTokenizer* tokenizer,
                                                   const std::vector<CalibrationInput>& inputs,
                                                   const std::function<void(double fraction)>& progress);

// Makes a matrix of `model` what it is in `exact`: fp32.
void keep_exact(ModelIR& model, const ModelIR& exact, uint32_t matrix);

struct KeptMatrices {
  std::vector<uint32_t> matrices;  // kept, the most sensitive first
  double loss = 0;                 // with them
};

// Keeps the fewest matrices, taken in the order of falling sensitivity, with which loss(model) is at most `most`, and
// changes `model` so. It takes about 2·log₂ of their number calls of `loss`. Throws Error when all are not enough.
KeptMatrices keep_most_sensitive(ModelIR& model, const ModelIR& exact, std::vector<MatrixSensitivity> sensitivities,
                                 double most, const std::function<double(const ModelIR&)>& loss);

// 100 less the per cent of inputs that two models answer alike: the same label of two or more, or the cosine of the
// embeddings. Throws Error for a model that does neither.
class AgreementLoss {
 public:
  AgreementLoss(const ModelIR& exact, const CompiledTokenizer* tokenizer, std::vector<CalibrationInput> inputs);
  double operator()(const ModelIR& model) const;

 private:
  std::vector<float> answers(const ModelIR& model) const;

  const CompiledTokenizer* tokenizer_;
  std::vector<CalibrationInput> inputs_;
  bool labels_ = false;
  size_t width_ = 0;
  std::vector<float> exact_;
};

// Points (hundredths) of the usual metric of a data file (eval/evaluate.h) that a model loses against `exact`.
class MetricLoss {
 public:
  MetricLoss(const ModelIR& exact, const CompiledTokenizer* tokenizer, std::string path);
  double operator()(const ModelIR& model) const { return exact_ - points(model); }
  const std::string& metric() const { return metric_; }

 private:
  double points(const ModelIR& model) const;

  const CompiledTokenizer* tokenizer_;
  std::string path_, metric_;
  double exact_ = 0;
};

}  // namespace kinglet::convert
