// A checkpoint, converted into a file without a name, and open.
#pragma once

#include <optional>
#include <string>

#include "convert.h"
#include "kinglet.hpp"
#include "report/anatomy.h"
#include "writer/output_file.h"

namespace kinglet::convert {

class ConvertedModel {
 public:
  // options.output is not looked at; `what` stands for a path in messages. Throws Error.
  ConvertedModel(const ConvertOptions& options, const std::string& what);
  const Model& model() const { return *model_; }
  const Anatomy& anatomy() const { return anatomy_; }

 private:
  OutputFile file_;
  std::optional<Model> model_;
  Anatomy anatomy_;
};

}  // namespace kinglet::convert
