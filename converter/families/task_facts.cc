#include "families/task_facts.h"

#include <system_error>

#include "base/text.h"

namespace kinglet::convert {

namespace {

// CrossEncoder.get_default_activation_fn of sentence-transformers 5: the newer field, then the older one, then a
// sigmoid for one output. Names outside of torch are not loaded there either.
fmt::Scoring read_rank_scoring(const JsonObject& config) {
  constexpr const char* kOldField = "sbert_ce_default_activation_function";
  std::string name;
  const Json* settings = config.find("sentence_transformers");
  if (settings != nullptr && settings->is_object() && settings->contains("activation_fn")) {
    name = JsonObject(*settings, config.name() + ": sentence_transformers").text("activation_fn", "");
  } else {
    name = config.text(kOldField, "");
  }
  if (!name.starts_with("torch.")) {
    return fmt::Scoring::sigmoid;
  }
  const std::string kind = name.substr(name.rfind('.') + 1);
  if (kind != "Sigmoid" && kind != "Identity") {
    refuse(config.name(), ": the cross-encoder's activation is ", quote(name),
           ", expected Sigmoid or Identity of torch.nn");
  }
  return kind == "Sigmoid" ? fmt::Scoring::sigmoid : fmt::Scoring::identity;
}

void refuse_left_padding(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return;
  }
  const JsonObject config = JsonObject::load(path);
  if (config.text("padding_side", "right") != "right") {
    config.refuse_field("padding_side", "\"right\": with another, question answering puts the context first");
  }
}

}  // namespace

void add_task_facts(const std::filesystem::path& folder, const JsonObject& config, const CompiledTokenizer* tokenizer,
                    ModelIR* model) {
  if (model->task == fmt::Task::classify &&
      model->values[static_cast<size_t>(model->logits)].width == 1) {
    model->rank_scoring = read_rank_scoring(config);
  }
  if (tokenizer == nullptr) {
    return;
  }
  if (model->task == fmt::Task::answer) {
    refuse_left_padding(folder);
  }
  const auto id = [&](const char* attribute) {
    const std::optional<uint32_t> found = tokenizer->special_id(attribute);
    return found ? static_cast<int32_t>(*found) : kNone;
  };
  model->special_tokens = {id("cls_token"), id("mask_token"), id("unk_token"), tokenizer->marks_pieces(),
                           tokenizer->cleans_up_spaces()};
}

}  // namespace kinglet::convert
