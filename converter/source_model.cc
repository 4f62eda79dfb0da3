// From a checkpoint to a model in memory: find, read, build, add what other files say.
#include "source_model.h"

#include <algorithm>
#include <system_error>

#include "base/json_file.h"
#include "base/text.h"
#include "families/dense.h"
#include "families/heads.h"
#include "families/task_facts.h"
#include "readers/checkpoint.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

// Null for a checkpoint of ids only. One that speaks of a tokenizer, or that is made for texts, has lost its
// vocabulary.
std::unique_ptr<CompiledTokenizer> load_tokenizer(const fs::path& folder, bool for_texts) {
  auto tokenizer = compile_tokenizer(folder);
  if (tokenizer != nullptr) {
    return tokenizer;
  }
  for (const char* name : {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}) {
    std::error_code ignored;
    if (fs::exists(folder / name, ignored)) {
      refuse(folder.string(), ": has ", name, ", but its vocabulary is missing, expected tokenizer.json or vocab.txt");
    }
  }
  if (for_texts) {
    refuse(folder.string(), ": its vocabulary is missing, expected tokenizer.json or vocab.txt");
  }
  return nullptr;
}

// Lengths and prompts that other files than config.json give.
void apply_limits(const SentenceModules& modules, const CompiledTokenizer* tokenizer, const std::string& source,
                  ModelIR* model) {
  uint64_t limit = model->max_length;
  limit = std::min(limit, modules.max_length.value_or(limit));
  if (tokenizer != nullptr) {
    if (tokenizer->model_max_length() != 0) {
      limit = std::min(limit, tokenizer->model_max_length());
    }
    if (tokenizer->size() > model->vocabulary) {
      refuse(source, ": its tokenizer has ids up to ", tokenizer->size() - 1, ", but vocab_size in config.json is ",
             model->vocabulary);
    }
  }
  model->max_length = static_cast<uint32_t>(limit);
  model->prompts = modules.prompts;
  model->default_prompt = modules.default_prompt;
}

}  // namespace

OpenedSource open_source(const fs::path& source) {
  const SourcePaths paths = find_source(source);
  std::optional<SentenceModules> modules = paths.weights.empty() ? read_sentence_modules(paths.folder) : std::nullopt;
  const fs::path transformer = modules ? modules->transformer : paths.folder;
  BuildRequest request = {load_config(transformer),
                          open_checkpoint(transformer, paths.weights),
                          transformer.string(),
                          std::nullopt,
                          {},
                          modules.has_value(),
                          {}};
  return {paths, std::move(modules), std::move(request)};
}

SourceModel read_source_model(const fs::path& path, const std::optional<std::string>& task,
                              const std::vector<std::string>& labels,
                              const std::function<void(const std::string& what, double fraction)>& progress) {
  const auto asked = task ? std::optional(parse_task(*task)) : std::nullopt;
  progress("reading the checkpoint", 0);
  auto [paths, found, request] = open_source(path);
  const SentenceModules modules = found.value_or(SentenceModules{paths.folder, {}, {}, {}, {}, {}, kNone});
  const std::string source = request.source;
  request.task = asked;
  request.labels = labels;
  request.embedding = {modules.embedding.pooling, modules.embedding.normalize && modules.dense.empty()};
  const JsonObject config = request.config;
  SourceModel result;
  result.provenance = provenance_of(paths.folder);
  result.files = request.checkpoint.files;
  result.bytes = request.checkpoint.bytes;
  ModelIR model = build_model(std::move(request));
  if (modules.width && *modules.width != model.values[static_cast<size_t>(model.embedding)].width) {
    refuse(paths.folder.string(), ": its pooling module is for vectors of ", *modules.width, " numbers, the model has ",
           model.values[static_cast<size_t>(model.embedding)].width);
  }
  if (!modules.dense.empty()) {
    add_dense_modules(modules.dense, &model);
    if (modules.embedding.normalize) {
      model.embedding = static_cast<int32_t>(model.normalize(static_cast<uint32_t>(model.embedding)));
    }
  }

  progress("compiling the tokenizer", 0.02);
  result.tokenizer = load_tokenizer(modules.transformer, found.has_value());
  apply_limits(modules, result.tokenizer.get(), source, &model);
  add_task_facts(modules.transformer, config, result.tokenizer.get(), &model);
  result.model = std::move(model);
  return result;
}

}  // namespace kinglet::convert
