// Reading sources, and putting heads on them.
#include "train/start.h"

#include <algorithm>

#include "base/text.h"
#include "families/weights.h"
#include "source_model.h"
#include "tokenizers/compile.h"
#include "train/family_names.h"

namespace kinglet::train {

using convert::CheckpointFolder;
using convert::ModelIR;
using convert::refuse;

void check_trainable(const ModelIR& model, const std::string& source) {
  const std::vector<std::string> known = known_families();
  if (std::find(known.begin(), known.end(), model.architecture) == known.end()) {
    refuse(source, ": the family ", convert::quote(model.architecture), " cannot be trained, expected one of ",
           convert::list_text(known));
  }
}

ModelIR load_model(const std::filesystem::path& source, bool encoder_only) {
  convert::OpenedSource opened = convert::open_source(source);
  if (encoder_only && !opened.modules) {
    opened.request.task = fmt::Task::embed;
  }
  const auto tokenizer = convert::compile_tokenizer(opened.request.source);
  ModelIR model = convert::build_model(std::move(opened.request));
  if (opened.modules && opened.modules->max_length) {
    model.max_length = static_cast<uint32_t>(std::min<uint64_t>(model.max_length, *opened.modules->max_length));
  }
  if (tokenizer != nullptr && tokenizer->model_max_length() != 0) {
    model.max_length = static_cast<uint32_t>(std::min<uint64_t>(model.max_length, tokenizer->model_max_length()));
  }
  return model;
}

Goal goal_of(const ModelIR& model, const std::string& source) {
  switch (model.task) {
    case fmt::Task::classify:
      if (model.scoring == fmt::Scoring::identity) {
        return {Kind::regress, {}};
      }
      if (model.scoring == fmt::Scoring::sigmoid) {
        refuse(source, ": has several labels per text, or one output with a sigmoid, which training does not know yet");
      }
      return {Kind::classify, model.labels};
    case fmt::Task::tag:
      return {Kind::tag, model.labels};
    case fmt::Task::answer:
      return {Kind::answer, {}};
    default:
      refuse(source, ": neither classifies nor tags nor answers questions, expected a model that does one of them");
  }
}

CheckpointFolder start_from(const std::filesystem::path& source, const Goal& goal, bool keep_head, uint64_t seed) {
  const ModelIR encoder = load_model(source, true);
  check_trainable(encoder, source.string());
  const FamilyNames& family = names_of(encoder.architecture);
  CheckpointFolder folder = convert::read_checkpoint_folder(source);
  keep_tokenizer_only(folder, family);

  // Names as transformers has them; what is neither the encoder's nor a head that stays is left out.
  const bool pooled = (goal.kind == Kind::classify || goal.kind == Kind::regress) && *family.dense == '\0';
  bool has_pooler = false;
  std::vector<convert::Tensor> tensors;
  for (convert::Tensor& tensor : folder.tensors) {
    const std::string name = convert::canonical_name(tensor.name, {"bert.", "albert.", "distilbert.", "electra.",
                                                                   "mpnet.", "roberta.", "xlm_roberta.", "camembert."});
    if (is_encoders(name) ? is_poolers(name) && !pooled : !keep_head) {
      continue;
    }
    has_pooler |= is_poolers(name);
    tensor.name = full_name(encoder.architecture, name);
    tensors.push_back(std::move(tensor));
  }
  folder.tensors = std::move(tensors);
  const double deviation = convert::JsonObject(folder.config, source.string()).real("initializer_range", 0.02);
  if (!keep_head) {
    Drawer drawer(folder, encoder.architecture, deviation, seed);
    draw_head(drawer, family, goal, hidden_width(encoder), has_pooler);
  }
  write_goal(folder.config, family, goal);
  return folder;
}

}  // namespace kinglet::train
