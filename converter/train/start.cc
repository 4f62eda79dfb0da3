// Heads and names family by family.
#include "train/start.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "families/family.h"
#include "families/sentence_transformers.h"
#include "families/weights.h"
#include "readers/source_folder.h"
#include "train/numbers.h"

namespace kinglet::train {

using convert::CheckpointFolder;
using convert::Json;
using convert::kNone;
using convert::ModelIR;
using convert::refuse;

namespace {

// What transformers calls things.
struct FamilyNames {
  const char* architecture;  // ModelIR.architecture
  const char* prefix;        // of the encoder's tensors
  const char* classes;       // before ForSequenceClassification
  // Of sequence classification: the matrix from hidden to hidden (empty: the pooler), and the one to the labels.
  const char* dense;
  const char* classifier;
  const char* pooler;  // the encoder's own; null: none
};

constexpr FamilyNames kFamilies[] = {
    {"bert", "bert.", "Bert", "", "classifier", "pooler.dense"},
    {"albert", "albert.", "Albert", "", "classifier", "pooler"},
    {"distilbert", "distilbert.", "DistilBert", "pre_classifier", "classifier", nullptr},
    {"electra", "electra.", "Electra", "classifier.dense", "classifier.out_proj", nullptr},
    {"mpnet", "mpnet.", "MPNet", "classifier.dense", "classifier.out_proj", nullptr},
    {"roberta", "roberta.", "Roberta", "classifier.dense", "classifier.out_proj", nullptr},
    {"xlm-roberta", "roberta.", "XLMRoberta", "classifier.dense", "classifier.out_proj", nullptr},
    {"camembert", "roberta.", "Camembert", "classifier.dense", "classifier.out_proj", nullptr},
};

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

bool is_poolers(const std::string& name) { return name.starts_with("pooler."); }

const char* head_class(Kind kind) {
  return kind == Kind::tag ? "ForTokenClassification" : kind == Kind::answer ? "ForQuestionAnswering"
                                                                             : "ForSequenceClassification";
}

// Draws the weights of new tensors, one seed for each.
class Drawer {
 public:
  Drawer(CheckpointFolder& folder, const std::string& architecture, double deviation, uint64_t seed)
      : folder_(folder), architecture_(architecture), deviation_(deviation), seed_(seed) {}

  void matrix(const std::string& name, uint32_t rows, uint32_t columns) {
    table(name + ".weight", rows, columns);
    constant(name + ".bias", rows, 0);
  }
  void table(const std::string& name, uint32_t rows, uint32_t columns) {
    uint64_t seed = seed_;
    for (const char c : name) {
      seed = mix_seed(seed, static_cast<unsigned char>(c));
    }
    add(name, {rows, columns}, normal_numbers(seed, size_t{rows} * columns, deviation_));
  }
  void norm(const std::string& name, uint32_t width) {
    constant(name + ".weight", width, 1);
    constant(name + ".bias", width, 0);
  }

 private:
  void constant(const std::string& name, uint32_t size, float value) {
    add(name, {size}, std::vector<float>(size, value));
  }
  void add(const std::string& name, std::vector<uint32_t> shape, std::vector<float> values) {
    const uint64_t columns = shape.back();
    folder_.tensors.push_back(
        {full_name(architecture_, name), std::move(shape), convert::memory_source(std::move(values), columns)});
  }

  CheckpointFolder& folder_;
  const std::string& architecture_;
  double deviation_;
  uint64_t seed_;
};

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

// Files of sentence-transformers make an embedder of the folder; the tokenizer's own limit stays in its config.
void leave_out_modules(CheckpointFolder& folder) {
  for (const char* name : {"modules.json", "config_sentence_transformers.json", "sentence_bert_config.json",
                           "1_Pooling/config.json", "2_Normalize/config.json", "README.md", "data_config.json",
                           "expected.json", "kinglet.json"}) {
    folder.files[name] = std::nullopt;
  }
  // An old folder has its transformer one below; what is written has it at the top.
  if (!folder.transformer.empty()) {
    folder.source = folder.source / folder.transformer;
    folder.transformer.clear();
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

// AutoTokenizer goes by config.json's model_type where tokenizer_config.json names no class.
void name_tokenizer(CheckpointFolder& folder, const std::string& architecture) {
  const std::map<std::string, std::string> classes = {
      {"bert", "BertTokenizer"},       {"albert", "AlbertTokenizer"},         {"distilbert", "DistilBertTokenizer"},
      {"electra", "ElectraTokenizer"}, {"mpnet", "MPNetTokenizer"},           {"roberta", "RobertaTokenizer"},
      {"xlm-roberta", "XLMRobertaTokenizer"}, {"camembert", "CamembertTokenizer"}};
  const std::filesystem::path path = folder.source / "tokenizer_config.json";
  std::error_code ignored;
  Json config = std::filesystem::exists(path, ignored) ? convert::JsonObject::load(path).json() : Json::object();
  if (!config.contains("tokenizer_class")) {
    config["tokenizer_class"] = classes.at(architecture);
    folder.files["tokenizer_config.json"] = config.dump(2) + "\n";
  }
}

uint32_t number_of(const std::string& text, const std::string& item) {
  uint64_t number = 0;
  for (const char digit : text) {
    number = digit >= '0' && digit <= '9' && number <= 65536 ? number * 10 + static_cast<uint64_t>(digit - '0') : 1 << 20;
  }
  if (number < 1 || number > 65536) {
    refuse("--student: ", convert::quote(item), " is not a size from 1 to 65536");
  }
  return static_cast<uint32_t>(number);
}

}  // namespace

std::string full_name(const std::string& architecture, const std::string& name) {
  return (is_encoders(name) ? names_of(architecture).prefix : "") + name;
}

void check_trainable(const ModelIR& model, const std::string& source) {
  std::vector<std::string> known;
  for (const FamilyNames& family : kFamilies) {
    if (model.architecture == family.architecture) {
      return;
    }
    known.push_back(family.architecture);
  }
  refuse(source, ": the family ", convert::quote(model.architecture), " cannot be trained, expected one of ",
         convert::list_text(known));
}

StudentShape parse_student(const std::string& text) {
  struct Preset {
    const char* name;
    StudentShape shape;
  };
  static const Preset presets[] = {
      {"bert", {"bert", 0, 0, 0, 0, 0}},
      {"bert-tiny", {"bert", 2, 128, 2, 512, 0}},
      {"bert-mini", {"bert", 4, 256, 4, 1024, 0}},
      {"bert-small", {"bert", 4, 512, 8, 2048, 0}},
      {"distilbert", {"distilbert", 0, 0, 0, 0, 0}},
      {"albert", {"albert", 0, 0, 0, 0, 128}},
  };
  StudentShape shape;
  const std::map<std::string, uint32_t StudentShape::*> sizes = {
      {"layers", &StudentShape::layers},   {"hidden", &StudentShape::hidden},
      {"heads", &StudentShape::heads},     {"intermediate", &StudentShape::intermediate},
      {"embedding", &StudentShape::embedding}};
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const size_t equals = item.find('=');
    if (equals == std::string::npos) {
      const auto found = std::find_if(std::begin(presets), std::end(presets),
                                      [&](const Preset& preset) { return item == preset.name; });
      if (found == std::end(presets) || begin != 0) {
        refuse("--student: ", convert::quote(item), " is not known, expected bert, bert-tiny, bert-mini, bert-small, ",
               "distilbert or albert first, then layers=N, hidden=N, heads=N, intermediate=N or embedding=N");
      }
      shape = found->shape;
    } else {
      const auto size = sizes.find(item.substr(0, equals));
      if (size == sizes.end()) {
        refuse("--student: ", convert::quote(item), " is not known, expected layers, hidden, heads, intermediate or ",
               "embedding before the =");
      }
      shape.*size->second = number_of(item.substr(equals + 1), item);
    }
    begin = end + 1;
  }
  if (shape.embedding != 0 && shape.family != "albert") {
    refuse("--student: embedding=N goes with albert");
  }
  return shape;
}

ModelIR load_model(const std::filesystem::path& source, bool encoder_only) {
  const convert::SourcePaths paths = convert::find_source(source);
  const auto found = paths.weights.empty() ? convert::read_sentence_modules(paths.folder) : std::nullopt;
  const std::filesystem::path folder = found ? found->transformer : paths.folder;
  convert::BuildRequest request = {convert::load_config(folder),
                                   convert::open_checkpoint(folder, paths.weights),
                                   folder.string(),
                                   std::nullopt,
                                   {},
                                   found.has_value(),
                                   {}};
  if (encoder_only && !found) {
    request.task = fmt::Task::embed;
  }
  ModelIR model = convert::build_model(std::move(request));
  if (found && found->max_length) {
    model.max_length = static_cast<uint32_t>(std::min<uint64_t>(model.max_length, *found->max_length));
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
  leave_out_modules(folder);
  name_tokenizer(folder, encoder.architecture);

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

CheckpointFolder start_student(const std::filesystem::path& teacher, const ModelIR& teacher_model, const Goal& goal,
                               const StudentShape& shape, uint64_t seed) {
  CheckpointFolder folder = convert::read_checkpoint_folder(teacher);
  leave_out_modules(folder);
  name_tokenizer(folder, teacher_model.architecture);
  folder.tensors.clear();
  const FamilyNames& family = names_of(shape.family);

  uint32_t layers = 0, heads = 0, middle = 0;
  for (size_t i = 0; i < teacher_model.program.size(); ++i) {
    if (const auto* attention = std::get_if<convert::AttentionOp>(&teacher_model.program[i])) {
      ++layers;
      heads = std::max(heads, attention->heads);
    }
  }
  const uint32_t teacher_hidden = hidden_width(teacher_model);
  for (const convert::Matrix& matrix : teacher_model.matrices) {
    const convert::Tensor& weight = teacher_model.tensors[matrix.weight];
    if (weight.columns() == teacher_hidden && !matrix.head) {
      middle = std::max(middle, static_cast<uint32_t>(weight.rows()));
    }
  }
  const convert::JsonObject old(folder.config, teacher.string());
  const uint32_t hidden = shape.hidden != 0 ? shape.hidden : teacher_hidden;
  const uint32_t own_layers = shape.layers != 0              ? shape.layers
                              : shape.family == "distilbert" ? std::max(1u, layers / 2)
                                                             : layers;
  uint32_t own_heads = shape.heads;
  if (own_heads == 0) {
    own_heads = std::min(heads, hidden);
    while (hidden % own_heads != 0) {
      --own_heads;
    }
  }
  if (hidden % own_heads != 0) {
    refuse("--student: hidden is ", hidden, ", expected a multiple of heads, ", own_heads);
  }
  const uint32_t intermediate =
      shape.intermediate != 0 ? shape.intermediate : shape.hidden != 0 ? 4 * hidden : middle;
  const uint32_t positions = teacher_model.max_positions, vocabulary = teacher_model.vocabulary;
  const uint32_t types = std::max(2u, teacher_model.type_count);
  const double dropout = old.real("hidden_dropout_prob", old.real("dropout", 0.1));
  const double attention_dropout = old.real("attention_probs_dropout_prob", old.real("attention_dropout", 0.1));
  const std::string activation = old.text("hidden_act", old.text("activation", "gelu"));
  const double deviation = 0.02;

  Json config = Json::object();
  for (const char* field : {"pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"}) {
    if (folder.config.contains(field)) {
      config[field] = folder.config[field];
    }
  }
  config["vocab_size"] = vocabulary;
  config["max_position_embeddings"] = positions;
  config["initializer_range"] = deviation;
  if (shape.family == "distilbert") {
    config.update(Json{{"dim", hidden}, {"n_layers", own_layers}, {"n_heads", own_heads}, {"hidden_dim", intermediate},
                       {"dropout", dropout}, {"attention_dropout", attention_dropout}, {"activation", activation},
                       {"sinusoidal_pos_embds", false}, {"qa_dropout", 0.1}, {"seq_classif_dropout", 0.2},
                       {"tie_weights_", true}});
  } else {
    config.update(Json{{"hidden_size", hidden}, {"num_hidden_layers", own_layers}, {"num_attention_heads", own_heads},
                       {"intermediate_size", intermediate}, {"hidden_dropout_prob", dropout},
                       {"attention_probs_dropout_prob", attention_dropout}, {"hidden_act", activation},
                       {"type_vocab_size", types}, {"layer_norm_eps", 1e-12}});
  }
  const uint32_t embedding = shape.embedding != 0 ? shape.embedding : hidden;
  if (shape.family == "albert") {
    config.update(Json{{"embedding_size", embedding}, {"num_hidden_groups", 1}, {"inner_group_num", 1},
                       {"classifier_dropout_prob", dropout}});
  }
  folder.config = std::move(config);

  Drawer drawer(folder, shape.family, deviation, seed);
  drawer.table("embeddings.word_embeddings.weight", vocabulary, embedding);
  drawer.table("embeddings.position_embeddings.weight", positions, embedding);
  if (shape.family != "distilbert") {
    drawer.table("embeddings.token_type_embeddings.weight", types, embedding);
  }
  drawer.norm("embeddings.LayerNorm", embedding);
  if (shape.family == "albert") {
    drawer.matrix("encoder.embedding_hidden_mapping_in", hidden, embedding);
  }
  for (uint32_t layer = 0; layer < (shape.family == "albert" ? 1 : own_layers); ++layer) {
    const bool distil = shape.family == "distilbert", albert = shape.family == "albert";
    const std::string name = distil   ? "transformer.layer." + std::to_string(layer) + "."
                             : albert ? "encoder.albert_layer_groups.0.albert_layers.0."
                                      : "encoder.layer." + std::to_string(layer) + ".";
    const std::string self = distil ? "attention." : albert ? "attention." : "attention.self.";
    drawer.matrix(name + self + (distil ? "q_lin" : "query"), hidden, hidden);
    drawer.matrix(name + self + (distil ? "k_lin" : "key"), hidden, hidden);
    drawer.matrix(name + self + (distil ? "v_lin" : "value"), hidden, hidden);
    drawer.matrix(name + (distil ? "attention.out_lin" : albert ? "attention.dense" : "attention.output.dense"), hidden,
                  hidden);
    drawer.norm(name + (distil   ? "sa_layer_norm"
                        : albert ? "attention.LayerNorm"
                                 : "attention.output.LayerNorm"),
                hidden);
    drawer.matrix(name + (distil ? "ffn.lin1" : albert ? "ffn" : "intermediate.dense"), intermediate, hidden);
    drawer.matrix(name + (distil ? "ffn.lin2" : albert ? "ffn_output" : "output.dense"), hidden, intermediate);
    drawer.norm(name + (distil   ? "output_layer_norm"
                        : albert ? "full_layer_layer_norm"
                                 : "output.LayerNorm"),
                hidden);
  }
  draw_head(drawer, family, goal, hidden, false);
  write_goal(folder.config, family, goal);
  return folder;
}

}  // namespace kinglet::train
