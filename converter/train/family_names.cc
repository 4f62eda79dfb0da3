// The list of families, and what is written into their folders.
#include "train/family_names.h"

#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "train/numbers.h"

namespace kinglet::train {

using convert::CheckpointFolder;
using convert::Json;
using convert::kNone;
using convert::ModelIR;
using convert::refuse;

namespace {

constexpr FamilyNames kFamilies[] = {
    {"bert", "bert.", "Bert", "BertTokenizer", "", "classifier", "pooler.dense"},
    {"albert", "albert.", "Albert", "AlbertTokenizer", "", "classifier", "pooler"},
    {"distilbert", "distilbert.", "DistilBert", "DistilBertTokenizer", "pre_classifier", "classifier", nullptr},
    {"electra", "electra.", "Electra", "ElectraTokenizer", "classifier.dense", "classifier.out_proj", nullptr},
    {"mpnet", "mpnet.", "MPNet", "MPNetTokenizer", "classifier.dense", "classifier.out_proj", nullptr},
    {"roberta", "roberta.", "Roberta", "RobertaTokenizer", "classifier.dense", "classifier.out_proj", nullptr},
    {"xlm-roberta", "roberta.", "XLMRoberta", "XLMRobertaTokenizer", "classifier.dense", "classifier.out_proj",
     nullptr},
    {"camembert", "roberta.", "Camembert", "CamembertTokenizer", "classifier.dense", "classifier.out_proj", nullptr},
};

const char* head_class(Kind kind) {
  return kind == Kind::tag      ? "ForTokenClassification"
         : kind == Kind::answer ? "ForQuestionAnswering"
                                : "ForSequenceClassification";
}

}  // namespace

const FamilyNames& names_of(const std::string& architecture) {
  for (const FamilyNames& family : kFamilies) {
    if (architecture == family.architecture) {
      return family;
    }
  }
  refuse("training does not know the family ", convert::quote(architecture));
}

bool is_encoders(const std::string& name) {
  return name.starts_with("embeddings.") || name.starts_with("embeddings_project.") || name.starts_with("encoder.") ||
         name.starts_with("transformer.") || name.starts_with("pooler.");
}

bool is_poolers(const std::string& name) {
  return name.starts_with("pooler.");
}

std::vector<std::string> known_families() {
  std::vector<std::string> known;
  for (const FamilyNames& family : kFamilies) {
    known.push_back(family.architecture);
  }
  return known;
}

std::string full_name(const std::string& architecture, const std::string& name) {
  return (is_encoders(name) ? names_of(architecture).prefix : "") + name;
}

void Drawer::matrix(const std::string& name, uint32_t rows, uint32_t columns) {
  table(name + ".weight", rows, columns);
  constant(name + ".bias", rows, 0);
}

void Drawer::table(const std::string& name, uint32_t rows, uint32_t columns) {
  uint64_t seed = seed_;
  for (const char c : name) {
    seed = mix_seed(seed, static_cast<unsigned char>(c));
  }
  add(name, {rows, columns}, normal_numbers(seed, size_t{rows} * columns, deviation_));
}

void Drawer::norm(const std::string& name, uint32_t width) {
  constant(name + ".weight", width, 1);
  constant(name + ".bias", width, 0);
}

void Drawer::constant(const std::string& name, uint32_t size, float value) {
  add(name, {size}, std::vector<float>(size, value));
}

void Drawer::add(const std::string& name, std::vector<uint32_t> shape, std::vector<float> values) {
  const uint64_t columns = shape.back();
  folder_.tensors.push_back(
      {full_name(architecture_, name), std::move(shape), convert::memory_source(std::move(values), columns)});
}

void draw_head(Drawer& drawer, const FamilyNames& family, const Goal& goal, uint32_t hidden, bool has_pooler) {
  if (goal.kind == Kind::answer) {
    return drawer.matrix("qa_outputs", 2, hidden);
  }
  const auto outputs = static_cast<uint32_t>(goal.kind == Kind::regress ? 1 : goal.labels.size());
  if (goal.kind == Kind::tag) {
    return drawer.matrix("classifier", outputs, hidden);
  }
  if (*family.dense != '\0') {
    drawer.matrix(family.dense, hidden, hidden);
  } else if (!has_pooler) {
    drawer.matrix(family.pooler, hidden, hidden);
  }
  drawer.matrix(family.classifier, outputs, hidden);
}

void write_goal(Json& config, const FamilyNames& family, const Goal& goal) {
  config["architectures"] = Json::array({std::string(family.classes) + head_class(goal.kind)});
  config["model_type"] = family.architecture;
  for (const char* field : {"id2label", "label2id", "num_labels", "problem_type", "_name_or_path", "_num_labels"}) {
    config.erase(field);
  }
  config["dtype"] = "float32";
  config.erase("torch_dtype");
  if (goal.kind == Kind::answer) {
    return;
  }
  const std::vector<std::string> labels =
      goal.kind == Kind::regress ? std::vector<std::string>{"LABEL_0"} : goal.labels;
  Json names = Json::object(), indices = Json::object();
  for (size_t i = 0; i < labels.size(); ++i) {
    names[std::to_string(i)] = labels[i];
    indices[labels[i]] = i;
  }
  config["id2label"] = names;
  config["label2id"] = indices;
  if (goal.kind != Kind::tag) {
    config["problem_type"] = goal.kind == Kind::regress ? "regression" : "single_label_classification";
  }
}

void keep_tokenizer_only(CheckpointFolder& folder, const FamilyNames& source) {
  for (const char* name :
       {"modules.json", "config_sentence_transformers.json", "sentence_bert_config.json", "1_Pooling/config.json",
        "2_Normalize/config.json", "README.md", "data_config.json", "expected.json", "kinglet.json"}) {
    folder.files[name] = std::nullopt;
  }
  // An old folder has its transformer one below; what is written has it at the top.
  if (!folder.transformer.empty()) {
    folder.source = folder.source / folder.transformer;
    folder.transformer.clear();
  }
  const std::filesystem::path path = folder.source / "tokenizer_config.json";
  std::error_code ignored;
  Json config = std::filesystem::exists(path, ignored) ? convert::JsonObject::load(path).json() : Json::object();
  if (!config.contains("tokenizer_class")) {
    config["tokenizer_class"] = source.tokenizer;
    folder.files["tokenizer_config.json"] = config.dump(2) + "\n";
  }
}

uint32_t hidden_width(const ModelIR& model) {
  for (auto op = model.program.rbegin(); op != model.program.rend(); ++op) {
    if (const auto* sum = std::get_if<convert::AddNormOp>(&*op); sum != nullptr && sum->residual != kNone) {
      return model.values[sum->out].width;
    }
  }
  refuse("the model has no layers");
}

}  // namespace kinglet::train
