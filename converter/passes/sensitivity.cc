// One matrix rounded at a time, and the search for those to keep.
#include "passes/sensitivity.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "base/text.h"
#include "calibrate/activations.h"
#include "passes/linear_groups.h"

namespace kinglet::convert {

const char* const kSensitivityMeaning =
    "the relative error of the model's answer (embedding or logits) on the calibration texts when this matrix and its "
    "input alone are rounded to 8 bits";

namespace {

std::vector<float> answers_of(const ModelIR& model, const CompiledTokenizer* tokenizer,
                              const std::vector<CalibrationInput>& inputs) {
  RunOptions options;
  options.threads = static_cast<uint32_t>(thread_count());
  std::vector<float> answers;
  WatchedModel(model, tokenizer, {answer_value(model)}, options).run(inputs, [&](const ValueRows& rows) {
    answers.insert(answers.end(), rows.data, rows.data + rows.rows * rows.width);
  });
  return answers;
}

}  // namespace

uint32_t answer_value(const ModelIR& model) {
  return model.embedding != kNone ? static_cast<uint32_t>(model.embedding)
         : model.logits != kNone  ? static_cast<uint32_t>(model.logits)
                                  : model.outputs.front().value;
}

std::vector<MatrixSensitivity> measure_sensitivity(const ModelIR& model, const ModelIR& exact,
                                                   const CompiledTokenizer* tokenizer,
                                                   const std::vector<CalibrationInput>& inputs,
                                                   const std::function<void(double fraction)>& progress) {
  std::vector<uint32_t> matrices;
  for (const LinearGroup& group : find_linear_groups(model)) {
    matrices.insert(matrices.end(), group.matrices.begin(), group.matrices.end());
  }
  const std::vector<float> wanted = answers_of(exact, tokenizer, inputs);
  double squares = 0;
  for (const float value : wanted) {
    squares += static_cast<double>(value) * value;
  }
  std::vector<MatrixSensitivity> list;
  for (const uint32_t matrix : matrices) {
    progress(static_cast<double>(list.size()) / static_cast<double>(matrices.size()));
    ModelIR rounded = exact;
    rounded.tensors[rounded.matrices[matrix].weight].storage = Storage::s8_tile;
    const std::vector<float> found = answers_of(rounded, tokenizer, inputs);
    double error = 0;
    for (size_t i = 0; i < wanted.size(); ++i) {
      error += (static_cast<double>(found[i]) - wanted[i]) * (static_cast<double>(found[i]) - wanted[i]);
    }
    list.push_back({matrix, squares > 0 ? std::sqrt(error / squares) : 0});
  }
  return list;
}

void keep_exact(ModelIR& model, const ModelIR& exact, uint32_t matrix) {
  const uint32_t weight = exact.matrices[matrix].weight;
  for (size_t i = 0; i < exact.matrices.size(); ++i) {
    if (exact.matrices[i].weight == weight) {
      model.matrices[i] = exact.matrices[i];
      if (const int32_t bias = exact.matrices[i].bias; bias != kNone) {
        model.tensors[static_cast<size_t>(bias)] = exact.tensors[static_cast<size_t>(bias)];
      }
    }
  }
  model.tensors[weight] = exact.tensors[weight];
}

KeptMatrices keep_most_sensitive(ModelIR& model, const ModelIR& exact, std::vector<MatrixSensitivity> sensitivities,
                                 double most, const std::function<double(const ModelIR&)>& loss) {
  std::stable_sort(sensitivities.begin(), sensitivities.end(),
                   [](const MatrixSensitivity& a, const MatrixSensitivity& b) { return a.error > b.error; });
  const auto with = [&](size_t count) {
    ModelIR kept = model;
    for (size_t i = 0; i < count; ++i) {
      keep_exact(kept, exact, sensitivities[i].matrix);
    }
    return kept;
  };
  // The loss with `enough` matrices is known to be small enough, that with `few` not to be.
  size_t few = 0, enough = 0;
  double least = loss(model);
  for (size_t step = 1; least > most; step *= 2) {
    if (enough == sensitivities.size()) {
      refuse("even with every matrix in fp32 the loss is ", least, ", expected at most ", most,
             "; what remains is that of embedding tables and attention in 8 bits");
    }
    few = enough;
    enough = std::min(few + step, sensitivities.size());
    least = loss(with(enough));
  }
  while (enough > few + 1) {
    const size_t middle = (few + enough) / 2;
    const double found = loss(with(middle));
    if (found <= most) {
      enough = middle;
      least = found;
    } else {
      few = middle;
    }
  }
  model = with(enough);
  KeptMatrices kept;
  kept.loss = least;
  for (size_t i = 0; i < enough; ++i) {
    kept.matrices.push_back(sensitivities[i].matrix);
  }
  return kept;
}

AgreementLoss::AgreementLoss(const ModelIR& exact, const CompiledTokenizer* tokenizer,
                             std::vector<CalibrationInput> inputs)
    : tokenizer_(tokenizer), inputs_(std::move(inputs)) {
  width_ = exact.values[answer_value(exact)].width;
  labels_ = exact.task == fmt::Task::classify && width_ > 1;
  if (!labels_ && exact.task != fmt::Task::embed) {
    refuse("the answers of this model are not labels or embeddings that could agree, expected --dev F to measure on");
  }
  exact_ = answers(exact);
}

std::vector<float> AgreementLoss::answers(const ModelIR& model) const {
  return answers_of(model, tokenizer_, inputs_);
}

double AgreementLoss::operator()(const ModelIR& model) const {
  const std::vector<float> found = answers(model);
  double agreement = 0;
  for (size_t i = 0; i < found.size(); i += width_) {
    const auto a = exact_.begin() + static_cast<std::ptrdiff_t>(i), b = found.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = static_cast<std::ptrdiff_t>(width_);
    if (labels_) {
      agreement += std::max_element(a, a + end) - a == std::max_element(b, b + end) - b ? 1 : 0;
      continue;
    }
    double product = 0, of_a = 0, of_b = 0;
    for (std::ptrdiff_t j = 0; j < end; ++j) {
      product += static_cast<double>(a[j]) * b[j];
      of_a += static_cast<double>(a[j]) * a[j];
      of_b += static_cast<double>(b[j]) * b[j];
    }
    agreement += of_a > 0 && of_b > 0 ? product / std::sqrt(of_a * of_b) : 0;
  }
  return 100 - 100 * agreement / static_cast<double>(inputs_.size());
}

}  // namespace kinglet::convert
