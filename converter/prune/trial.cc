// A model in memory made ready to run.
#include "prune/trial.h"

#include <utility>

#include "base/text.h"
#include "passes/passes.h"
#include "writer/model_file.h"

namespace kinglet::convert {

namespace {

Model open(ModelIR model, const CompiledTokenizer* tokenizer, const std::string& precision, OutputFile& file) {
  if (precision == "int8") {
    prepare_attention(model);
    quantize(model, {});
  }
  write_model(model, tokenizer, {precision, "trial"}, file, [](const std::string&, double) {});
  Result<Model> opened = Model::open_fd(file.descriptor());
  if (!opened) {
    refuse("the model to measure does not open: ", opened.error().message());
  }
  return *std::move(opened);
}

}  // namespace

Trial::Trial(ModelIR model, const CompiledTokenizer* tokenizer, const std::string& precision)
    : file_(OutputFile::nameless("the model to measure")),
      model_(open(std::move(model), tokenizer, precision, file_)) {}

}  // namespace kinglet::convert
