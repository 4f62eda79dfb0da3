// The list of families.
#include "families/family.h"

#include "base/text.h"
#include "families/infer.h"

namespace kinglet::convert {

namespace {

struct Family {
  const char* model_type;
  ModelIR (*build)(BuildRequest& request);
  bool prunable = false;
};

constexpr Family kFamilies[] = {
    {"bert", build_bert, true},
    {"albert", build_albert},
    {"camembert", build_camembert, true},
    {"deberta", build_deberta},
    {"deberta-v2", build_deberta_v2},
    {"distilbert", build_distilbert, true},
    {"electra", build_electra, true},
    {"mobilebert", build_mobilebert},
    {"modernbert", build_modernbert},
    {"mpnet", build_mpnet, true},
    {"roberta", build_roberta, true},
    {"xlm", build_xlm},
    {"xlm-roberta", build_xlm_roberta, true},
};

}  // namespace

std::vector<std::string> prunable_families() {
  std::vector<std::string> names;
  for (const Family& family : kFamilies) {
    if (family.prunable) {
      names.push_back(family.model_type);
    }
  }
  return names;
}

ModelIR build_model(BuildRequest request) {
  std::string model_type = request.config.text("model_type", "");
  if (model_type.empty()) {
    model_type = infer_model_type(request.config, request.checkpoint);
  }
  std::vector<std::string> known;
  for (const Family& family : kFamilies) {
    if (model_type == family.model_type) {
      if (!family.prunable && request.config.has("kinglet_intermediate_sizes")) {
        request.config.refuse_field("kinglet_intermediate_sizes", "none: its layers have one width");
      }
      return family.build(request);
    }
    known.push_back(quote(family.model_type));
  }
  if (model_type.empty()) {
    refuse(request.config.name(),
           ": has no model_type, and neither \"architectures\" nor the names of the tensors tell",
           " it, expected one of ", list_text(known));
  }
  refuse(request.config.name(), ": the model_type ", quote(model_type), " is not known; known: ", list_text(known));
}

}  // namespace kinglet::convert
