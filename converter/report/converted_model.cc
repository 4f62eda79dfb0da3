// Converts, opens and reads back.
#include "report/converted_model.h"

#include <utility>

#include "base/text.h"

namespace kinglet::convert {

ConvertedModel::ConvertedModel(const ConvertOptions& options, const std::string& what)
    : file_(OutputFile::nameless(what)) {
  convert(options, file_);
  Result<Model> model = Model::open_fd(file_.descriptor());
  if (!model) {
    refuse(what, ": ", model.error().message());
  }
  model_.emplace(*std::move(model));
  anatomy_ = read_anatomy(file_.descriptor());
}

}  // namespace kinglet::convert
