// sentence-transformers folders (sentence_transformers/SentenceTransformer.py and models/ in its 3.x and 5.x sources).
#include "families/sentence_transformers.h"

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include "base/text.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

struct PoolingMode {
  const char* flag;  // in 1_Pooling/config.json
  const char* name;  // in its "pooling_mode", which newer versions write
  bool by_default;
  std::optional<fmt::PoolKind> kind;  // nothing: not implemented
};

const std::vector<PoolingMode>& pooling_modes() {
  static const std::vector<PoolingMode> modes = {
      {"pooling_mode_cls_token", "cls", false, fmt::PoolKind::first},
      {"pooling_mode_mean_tokens", "mean", true, fmt::PoolKind::mean},
      {"pooling_mode_max_tokens", "max", false, fmt::PoolKind::max},
      {"pooling_mode_mean_sqrt_len_tokens", "mean_sqrt_len_tokens", false, fmt::PoolKind::mean_sqrt_length},
      {"pooling_mode_weightedmean_tokens", "weightedmean", false, std::nullopt},
      {"pooling_mode_lasttoken", "lasttoken", false, std::nullopt},
  };
  return modes;
}

fmt::PoolKind read_pooling(const JsonObject& config) {
  if (!config.boolean("include_prompt", true)) {
    config.refuse_field("include_prompt", "true");
  }
  const bool named = config.has("pooling_mode");
  const std::string name = config.text("pooling_mode", "");
  std::vector<const PoolingMode*> chosen;
  for (const PoolingMode& mode : pooling_modes()) {
    if (named ? name == mode.name : config.boolean(mode.flag, mode.by_default)) {
      chosen.push_back(&mode);
    }
  }
  if (named && chosen.empty()) {
    config.refuse_field("pooling_mode", "cls, mean, max or mean_sqrt_len_tokens");
  }
  if (chosen.size() != 1) {
    std::vector<std::string> flags;
    for (const PoolingMode* mode : chosen) {
      flags.push_back(mode->flag);
    }
    refuse(config.name(), ": asks for ", flags.empty() ? "no pooling" : list_text(flags) + " put side by side",
           ", expected exactly one pooling mode");
  }
  if (!chosen.front()->kind) {
    config.refuse_field(named ? "pooling_mode" : chosen.front()->flag,
                        "one of the modes cls, mean, max and mean_sqrt_len_tokens");
  }
  return *chosen.front()->kind;
}

// Arguments for the Python classes that have no bearing on the numbers.
void check_arguments(const JsonObject& config, const char* field) {
  const Json* arguments = config.find(field);
  if (arguments == nullptr || !arguments->is_object()) {
    return;
  }
  constexpr const char* kHarmless[] = {"torch_dtype", "dtype",    "attn_implementation", "trust_remote_code",
                                       "revision",    "use_fast", "low_cpu_mem_usage"};
  for (const auto& [key, value] : arguments->items()) {
    if (std::find(std::begin(kHarmless), std::end(kHarmless), key) == std::end(kHarmless)) {
      refuse(config.name(), ": ", field, " sets ", quote(key), ", which is not supported");
    }
  }
}

void read_limits(const fs::path& folder, SentenceModules* modules) {
  for (const char* name :
       {"sentence_bert_config.json", "sentence_roberta_config.json", "sentence_distilbert_config.json",
        "sentence_camembert_config.json", "sentence_albert_config.json", "sentence_xlm-roberta_config.json",
        "sentence_xlnet_config.json"}) {
    if (!is_there(folder / name)) {
      continue;
    }
    const JsonObject config = JsonObject::load(folder / name);
    if (config.boolean("do_lower_case", false)) {
      config.refuse_field("do_lower_case", "false: texts are lower-cased by the tokenizer or not at all");
    }
    for (const char* field : {"model_args", "config_args", "tokenizer_args"}) {
      check_arguments(config, field);
    }
    if (config.has("max_seq_length")) {
      modules->max_length = config.number("max_seq_length", 0, 1, uint64_t{1} << 32);
    }
    return;
  }
}

void read_prompts(const fs::path& folder, SentenceModules* modules) {
  const fs::path path = folder / "config_sentence_transformers.json";
  if (!is_there(path)) {
    return;
  }
  const JsonObject config = JsonObject::load(path);
  if (const std::string type = config.text("model_type", "SentenceTransformer"); type != "SentenceTransformer") {
    config.refuse_field("model_type", "\"SentenceTransformer\"");
  }
  const Json* prompts = config.find("prompts");
  if (prompts != nullptr && !prompts->is_object()) {
    config.refuse_field("prompts", "an object of names and texts");
  }
  const Json none = Json::object();
  const std::string default_name = config.text("default_prompt_name", "");
  for (const auto& [name, text] : (prompts == nullptr ? none : *prompts).items()) {
    if (!text.is_string() || name.empty()) {
      refuse(config.name(), ": the prompt ", quote(name), " is not a named string");
    }
    if (config.has("default_prompt_name") && name == default_name) {
      modules->default_prompt = static_cast<int32_t>(modules->prompts.size());
    }
    modules->prompts.push_back({name, text.get<std::string>()});
  }
  if (config.has("default_prompt_name") && modules->default_prompt == kNone) {
    config.refuse_field("default_prompt_name", "the name of one of the prompts");
  }
}

// The folder of a module: inside the model's.
fs::path module_folder(const fs::path& folder, const JsonObject& module) {
  const fs::path path = module.text("path", "");
  for (const fs::path& part : path) {
    if (part == "..") {
      module.refuse_field("path", "a folder inside the model's");
    }
  }
  if (path.is_absolute()) {
    module.refuse_field("path", "a folder inside the model's");
  }
  return folder / path;
}

void read_module(const fs::path& folder, const JsonObject& module, std::vector<std::string>* seen,
                 SentenceModules* modules) {
  const std::string type = module.text("type", "");
  const std::string kind = type.substr(type.rfind('.') + 1);
  // What may come before each kind of module; "": nothing.
  const std::map<std::string, std::set<std::string>> before = {{"Transformer", {""}},
                                                               {"Pooling", {"Transformer"}},
                                                               {"Dense", {"Pooling", "Dense"}},
                                                               {"Normalize", {"Pooling", "Dense"}}};
  const auto known = before.find(kind);
  if (known == before.end()) {
    refuse(module.name(), ": the module ", quote(type),
           " is not supported; known: Transformer, Pooling, Dense and Normalize");
  }
  if (known->second.count(seen->empty() ? "" : seen->back()) == 0) {
    refuse(module.name(), ": the module ", quote(type), " follows ", seen->empty() ? "nothing" : seen->back(),
           ", expected Transformer, Pooling and then perhaps Dense modules and Normalize");
  }
  seen->push_back(kind);
  const fs::path path = module_folder(folder, module);
  if (kind == "Transformer") {
    modules->transformer = path;
    read_limits(path, modules);
  } else if (kind == "Pooling") {
    const JsonObject config = JsonObject::load(path / "config.json");
    modules->embedding.pooling = read_pooling(config);
    for (const char* field : {"word_embedding_dimension", "embedding_dimension"}) {
      if (config.has(field)) {
        modules->width = static_cast<uint32_t>(config.number(field, 0, 1, 1 << 20));
      }
    }
  } else if (kind == "Dense") {
    modules->dense.push_back(path);
  } else {
    modules->embedding.normalize = true;
  }
}

}  // namespace

std::optional<SentenceModules> read_sentence_modules(const fs::path& folder) {
  const fs::path path = folder / "modules.json";
  if (!is_there(path)) {
    return std::nullopt;
  }
  const auto file = open_file(path);
  std::string text(std::min<uint64_t>(file->size(), 1 << 20), '\0');
  file->read(0, text.data(), text.size());
  const Json list = parse_json(text, path.string());
  if (!list.is_array()) {
    refuse(path.string(), ": expected a list of modules");
  }
  SentenceModules modules;
  std::vector<std::string> seen;
  for (const Json& module : list) {
    read_module(folder, JsonObject(module, path.string()), &seen, &modules);
  }
  if (seen.size() < 2) {
    refuse(path.string(), ": has ", seen.empty() ? "no module" : "no Pooling", ", expected Transformer and Pooling");
  }
  read_prompts(folder, &modules);
  return modules;
}

}  // namespace kinglet::convert
