// Class names and tensor names that only one family has.
#include "families/infer.h"

#include <string_view>

#include "families/config.h"
#include "families/weights.h"

namespace kinglet::convert {

namespace {

struct ClassName {
  std::string_view begin;  // followed by Model, For… or LMHead…
  const char* model_type;
};

constexpr ClassName kClasses[] = {
    {"Albert", "albert"},          {"Bert", "bert"},
    {"Camembert", "camembert"},    {"Deberta", "deberta"},
    {"DebertaV2", "deberta-v2"},   {"DistilBert", "distilbert"},
    {"Electra", "electra"},        {"MPNet", "mpnet"},
    {"MobileBert", "mobilebert"},  {"ModernBert", "modernbert"},
    {"Roberta", "roberta"},        {"XLM", "xlm"},
    {"XLMRoberta", "xlm-roberta"},
};

struct TensorMark {
  std::string_view part;  // of a name without wrappers' prefixes; '^' stands for its beginning
  const char* model_type;
};

// The first that any tensor has decides.
constexpr TensorMark kMarks[] = {
    {"albert_layer_groups.", "albert"},
    {".attention.q_lin.", "distilbert"},
    {".bottleneck.input.dense.", "mobilebert"},
    {"^electra.", "electra"},
    {"^embeddings_project.", "electra"},
    {"^generator_predictions.", "electra"},
    {"^discriminator_predictions.", "electra"},
    {".attention.self.query_proj.", "deberta-v2"},
    {".attention.self.in_proj.", "deberta"},
    {".attention.attn.q.", "mpnet"},
    {".attn.Wqkv.", "modernbert"},
    {"attentions.0.q_lin.", "xlm"},
    {"^roberta.", "roberta"},
    {"^lm_head.dense.", "roberta"},
    {"^bert.", "bert"},
};

bool has_part(const std::string& name, std::string_view part) {
  return part.front() == '^' ? name.starts_with(part.substr(1)) : name.find(part) != std::string::npos;
}

}  // namespace

std::string infer_model_type(const JsonObject& config, const Checkpoint& checkpoint) {
  const std::string architecture = read_architecture(config);
  for (const ClassName& name : kClasses) {
    if (architecture.starts_with(name.begin)) {
      const std::string_view rest = std::string_view(architecture).substr(name.begin.size());
      if (rest.starts_with("Model") || rest.starts_with("For") || rest.starts_with("LMHead")) {
        return name.model_type;
      }
    }
  }
  for (const TensorMark& mark : kMarks) {
    for (const auto& [name, stored] : checkpoint.tensors) {
      if (has_part(strip_wrappers(name), mark.part)) {
        return mark.model_type;
      }
    }
  }
  // Without any prefix, RoBERTa's encoder differs from BERT's by its single token type.
  bool attends = false, single_type = false;
  for (const auto& [name, stored] : checkpoint.tensors) {
    const std::string plain = strip_wrappers(name);
    attends |= plain == "encoder.layer.0.attention.self.query.weight";
    single_type |= plain == "embeddings.token_type_embeddings.weight" && !stored.shape.empty() && stored.shape[0] == 1;
  }
  return !attends ? "" : single_type ? "roberta" : "bert";
}

}  // namespace kinglet::convert
