// A model in memory made ready to run: written to a file without a name, and opened.
#pragma once

#include <string>

#include "ir/model_ir.h"
#include "kinglet.hpp"
#include "tokenizers/compile.h"
#include "writer/output_file.h"

namespace kinglet::convert {

class Trial {
 public:
  // `precision`: int8 or fp32. Throws Error.
  Trial(ModelIR model, const CompiledTokenizer* tokenizer, const std::string& precision);
  const Model& model() const { return model_; }

 private:
  OutputFile file_;
  Model model_;
};

}  // namespace kinglet::convert
