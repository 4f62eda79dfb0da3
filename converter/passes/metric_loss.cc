// A model written to a file without a name and evaluated as `kinglet eval` does.
#include <algorithm>

#include "base/parallel.h"
#include "base/text.h"
#include "eval/evaluate.h"
#include "kinglet.hpp"
#include "passes/sensitivity.h"
#include "writer/model_file.h"

namespace kinglet::convert {

MetricLoss::MetricLoss(const ModelIR& exact, const CompiledTokenizer* tokenizer, std::string path)
    : tokenizer_(tokenizer), path_(std::move(path)) {
  OutputFile file = OutputFile::nameless("the fp32 model to compare with");
  write_model(exact, tokenizer_, {"fp32", "evaluation"}, file, [](const std::string&, double) {});
  const auto opened = cpp::Model::open_fd(file.descriptor());
  if (!opened) {
    refuse("the fp32 model to compare with does not open: ", opened.error().message());
  }
  metric_ = eval::metrics_of(eval::kind_of(*opened, "the model")).front();
  exact_ = points(exact);
}

double MetricLoss::points(const ModelIR& model) const {
  const bool rounded =
      model.program.end() != std::find_if(model.program.begin(), model.program.end(), [](const Op& op) {
        const auto* attention = std::get_if<AttentionOp>(&op);
        return attention != nullptr && attention->quantized;
      });
  OutputFile file = OutputFile::nameless("the model to evaluate");
  write_model(model, tokenizer_, {rounded ? "int8" : "fp32", "evaluation"}, file, [](const std::string&, double) {});
  const auto opened = cpp::Model::open_fd(file.descriptor());
  if (!opened) {
    refuse("the model to evaluate does not open: ", opened.error().message());
  }
  const std::string name = "the model";
  const eval::Data data = eval::read_data(path_, *opened, name);
  eval::PredictOptions options;
  options.threads = static_cast<uint32_t>(thread_count());
  options.batch = 16;
  const eval::Predictions predictions = eval::predict(*opened, name, data, options);
  const std::optional<double> value = eval::Scorer(data, predictions).value(metric_);
  if (!value) {
    refuse(path_, ": the ", metric_, " of the model is not defined on it; expected examples that differ");
  }
  return 100 * *value;
}

}  // namespace kinglet::convert
