// Tensor names and config fields of new models.
#include "train/student.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "train/family_names.h"

namespace kinglet::train {

using convert::CheckpointFolder;
using convert::Json;
using convert::ModelIR;
using convert::refuse;

namespace {

constexpr double kDeviation = 0.02;  // of new weights: initializer_range of all three families

// Whole names without ".weight" and ".bias".
struct LayerNames {
  std::string query, key, value, output, attention_norm, up, down, norm;
};

LayerNames layer_names(const std::string& family, uint32_t layer) {
  if (family == "distilbert") {
    const std::string name = "transformer.layer." + std::to_string(layer) + ".";
    return {name + "attention.q_lin", name + "attention.k_lin", name + "attention.v_lin", name + "attention.out_lin",
            name + "sa_layer_norm",   name + "ffn.lin1",        name + "ffn.lin2",        name + "output_layer_norm"};
  }
  if (family == "albert") {
    const std::string name = "encoder.albert_layer_groups.0.albert_layers.0.";
    return {name + "attention.query", name + "attention.key",        name + "attention.value",
            name + "attention.dense", name + "attention.LayerNorm",  name + "ffn",
            name + "ffn_output",      name + "full_layer_layer_norm"};
  }
  const std::string name = "encoder.layer." + std::to_string(layer) + ".", self = name + "attention.self.";
  return {self + "query",
          self + "key",
          self + "value",
          name + "attention.output.dense",
          name + "attention.output.LayerNorm",
          name + "intermediate.dense",
          name + "output.dense",
          name + "output.LayerNorm"};
}

void draw_encoder(Drawer& drawer, const StudentShape& shape, const ModelIR& teacher, uint32_t types) {
  drawer.table("embeddings.word_embeddings.weight", teacher.vocabulary, shape.embedding);
  drawer.table("embeddings.position_embeddings.weight", shape.positions, shape.embedding);
  if (shape.family != "distilbert") {
    drawer.table("embeddings.token_type_embeddings.weight", types, shape.embedding);
  }
  drawer.norm("embeddings.LayerNorm", shape.embedding);
  if (shape.family == "albert") {
    drawer.matrix("encoder.embedding_hidden_mapping_in", shape.hidden, shape.embedding);
  }
  for (uint32_t layer = 0; layer < (shape.family == "albert" ? 1 : shape.layers); ++layer) {
    const LayerNames names = layer_names(shape.family, layer);
    for (const std::string& name : {names.query, names.key, names.value, names.output}) {
      drawer.matrix(name, shape.hidden, shape.hidden);
    }
    drawer.norm(names.attention_norm, shape.hidden);
    drawer.matrix(names.up, shape.intermediate, shape.hidden);
    drawer.matrix(names.down, shape.hidden, shape.intermediate);
    drawer.norm(names.norm, shape.hidden);
  }
}

Json student_config(const Json& of_teacher, const std::string& source, const StudentShape& shape,
                    const ModelIR& teacher, uint32_t types) {
  const convert::JsonObject old(of_teacher, source);
  const double dropout = old.real("hidden_dropout_prob", old.real("dropout", 0.1));
  const double attention_dropout = old.real("attention_probs_dropout_prob", old.real("attention_dropout", 0.1));
  const std::string activation = old.text("hidden_act", old.text("activation", "gelu"));
  Json config = Json::object();
  for (const char* field : {"pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"}) {
    if (of_teacher.contains(field)) {
      config[field] = of_teacher[field];
    }
  }
  config["vocab_size"] = teacher.vocabulary;
  config["max_position_embeddings"] = shape.positions;
  config["initializer_range"] = kDeviation;
  if (shape.family == "distilbert") {
    config.update(Json{{"dim", shape.hidden},
                       {"n_layers", shape.layers},
                       {"n_heads", shape.heads},
                       {"hidden_dim", shape.intermediate},
                       {"dropout", dropout},
                       {"attention_dropout", attention_dropout},
                       {"activation", activation},
                       {"sinusoidal_pos_embds", false},
                       {"qa_dropout", 0.1},
                       {"seq_classif_dropout", 0.2}});
    return config;
  }
  config.update(Json{{"hidden_size", shape.hidden},
                     {"num_hidden_layers", shape.layers},
                     {"num_attention_heads", shape.heads},
                     {"intermediate_size", shape.intermediate},
                     {"hidden_dropout_prob", dropout},
                     {"attention_probs_dropout_prob", attention_dropout},
                     {"hidden_act", activation},
                     {"type_vocab_size", types},
                     {"layer_norm_eps", 1e-12}});
  if (shape.family == "albert") {
    config.update(Json{{"embedding_size", shape.embedding},
                       {"num_hidden_groups", 1},
                       {"inner_group_num", 1},
                       {"classifier_dropout_prob", dropout}});
  }
  return config;
}

uint32_t number_of(const std::string& text, const std::string& item) {
  uint64_t number = 0;
  for (const char digit : text) {
    number =
        digit >= '0' && digit <= '9' && number <= 65536 ? number * 10 + static_cast<uint64_t>(digit - '0') : 1 << 20;
  }
  if (number < 1 || number > 65536) {
    refuse("--student: ", convert::quote(item), " is not a size from 1 to 65536");
  }
  return static_cast<uint32_t>(number);
}

}  // namespace

StudentShape parse_student(const std::string& text) {
  struct Preset {
    const char* name;
    StudentShape shape;
  };
  static const Preset presets[] = {
      {"bert", {"bert", 0, 0, 0, 0, 0, 0}},
      {"bert-tiny", {"bert", 2, 128, 2, 512, 0, 0}},
      {"bert-mini", {"bert", 4, 256, 4, 1024, 0, 0}},
      {"bert-small", {"bert", 4, 512, 8, 2048, 0, 0}},
      {"distilbert", {"distilbert", 0, 0, 0, 0, 0, 0}},
      {"albert", {"albert", 0, 0, 0, 0, 128, 0}},
  };
  StudentShape shape;
  const std::map<std::string, uint32_t StudentShape::*> sizes = {{"layers", &StudentShape::layers},
                                                                 {"hidden", &StudentShape::hidden},
                                                                 {"heads", &StudentShape::heads},
                                                                 {"intermediate", &StudentShape::intermediate},
                                                                 {"embedding", &StudentShape::embedding},
                                                                 {"positions", &StudentShape::positions}};
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string item = text.substr(begin, end - begin);
    const size_t equals = item.find('=');
    if (equals == std::string::npos) {
      const auto found = std::find_if(std::begin(presets), std::end(presets),
                                      [&](const Preset& preset) { return item == preset.name; });
      if (found == std::end(presets) || begin != 0) {
        refuse("--student: ", convert::quote(item), " is not known, expected bert, bert-tiny, bert-mini, bert-small, ",
               "distilbert or albert first, then layers=N, hidden=N, heads=N, intermediate=N, embedding=N or ",
               "positions=N");
      }
      shape = found->shape;
    } else {
      const auto size = sizes.find(item.substr(0, equals));
      if (size == sizes.end()) {
        refuse("--student: ", convert::quote(item), " is not known, expected layers, hidden, heads, intermediate, ",
               "embedding or positions before the =");
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

StudentShape complete_shape(const StudentShape& given, const ModelIR& teacher) {
  StudentShape shape = given;
  uint32_t layers = 0, heads = 0, middle = 0;
  const uint32_t teacher_hidden = hidden_width(teacher);
  for (const convert::Op& op : teacher.program) {
    if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      ++layers;
      heads = std::max(heads, attention->heads);
    } else if (const auto* linear = std::get_if<convert::LinearOp>(&op);
               linear != nullptr && teacher.values[linear->out].extent == fmt::Extent::tokens &&
               !teacher.matrices[linear->matrix].head) {
      middle = std::max(middle, teacher.values[linear->out].width);
    }
  }
  if (shape.intermediate == 0) {
    shape.intermediate = shape.hidden != 0 && shape.hidden != teacher_hidden ? 4 * shape.hidden : middle;
  }
  shape.hidden = shape.hidden != 0 ? shape.hidden : teacher_hidden;
  if (shape.layers == 0) {
    shape.layers = shape.family == "distilbert" ? std::max(1u, layers / 2) : layers;
  }
  if (shape.heads == 0) {
    shape.heads = std::min(heads, shape.hidden);
    while (shape.hidden % shape.heads != 0) {
      --shape.heads;
    }
  }
  if (shape.hidden % shape.heads != 0) {
    refuse("--student: hidden is ", shape.hidden, ", expected a multiple of heads, ", shape.heads);
  }
  shape.embedding = shape.embedding != 0 ? shape.embedding : shape.hidden;
  if (shape.positions > teacher.max_length) {
    refuse("--student: positions is ", shape.positions, ", but the teacher reads ", teacher.max_length, " tokens");
  }
  shape.positions = shape.positions != 0 ? shape.positions : teacher.max_length;
  return shape;
}

CheckpointFolder start_student(const std::filesystem::path& teacher, const ModelIR& teacher_model, const Goal& goal,
                               const StudentShape& shape, uint64_t seed) {
  CheckpointFolder folder = convert::read_checkpoint_folder(teacher);
  keep_tokenizer_only(folder, names_of(teacher_model.architecture));
  folder.tensors.clear();
  const FamilyNames& family = names_of(shape.family);
  const uint32_t types = std::max(2u, teacher_model.type_count);
  folder.config = student_config(folder.config, teacher.string(), shape, teacher_model, types);
  Drawer drawer(folder, shape.family, kDeviation, seed);
  draw_encoder(drawer, shape, teacher_model, types);
  draw_head(drawer, family, goal, shape.hidden, false);
  write_goal(folder.config, family, goal);
  return folder;
}

}  // namespace kinglet::train
