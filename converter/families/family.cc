// The list of families.
#include "families/family.h"

#include "base/text.h"

namespace kinglet::convert {

namespace {

struct Family {
  const char* model_type;
  ModelIR (*build)(BuildRequest& request);
};

constexpr Family kFamilies[] = {
    {"bert", build_bert},
    {"deberta", build_deberta},
    {"deberta-v2", build_deberta_v2},
    {"modernbert", build_modernbert},
    {"mpnet", build_mpnet},
    {"xlm", build_xlm},
};

}  // namespace

ModelIR build_model(BuildRequest request) {
  const std::string model_type = request.config.text("model_type", "");
  std::vector<std::string> known;
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) {
      return family.build(request);
    }
    known.push_back(quote(family.model_type));
  }
  if (!request.config.has("model_type")) {
    request.config.refuse_field("model_type", "one of " + list_text(known));
  }
  refuse(request.config.name(), ": the model_type ", quote(model_type), " is not known; known: ", list_text(known));
}

}  // namespace kinglet::convert
