// From a checkpoint to a file: find, read, build, change, write.
#include "convert.h"

#include <algorithm>
#include <fstream>
#include <memory>
#include <system_error>

#include "base/json_file.h"
#include "base/text.h"
#include "error.h"
#include "families/dense.h"
#include "families/family.h"
#include "families/heads.h"
#include "families/sentence_transformers.h"
#include "families/task_facts.h"
#include "quantize_model.h"
#include "readers/checkpoint.h"
#include "tokenizers/compile.h"
#include "writer/model_file.h"
#include "writer/output_file.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

struct SourcePaths {
  fs::path folder;
  fs::path weights;  // empty: whatever the folder has
};

// In a repository's folder of the hub cache (models--OWNER--NAME), the snapshot that its main branch stood at.
std::optional<fs::path> newest_snapshot(const fs::path& folder) {
  std::ifstream reference(folder / "refs/main");
  std::string revision(64, '\0');
  reference.read(revision.data(), static_cast<std::streamsize>(revision.size()));
  revision.resize(static_cast<size_t>(reference.gcount()));
  revision.erase(revision.find_last_not_of('\n') + 1);
  std::error_code ignored;
  const bool plain = !revision.empty() && revision.find_first_not_of("0123456789abcdef") == revision.npos;
  const fs::path snapshot = folder / "snapshots" / revision;
  return plain && fs::is_directory(snapshot, ignored) ? std::optional(snapshot) : std::nullopt;
}

SourcePaths find_source(const fs::path& source) {
  std::error_code error;
  const fs::file_status status = fs::status(source, error);
  if (!fs::exists(status)) {
    refuse(source.string(), ": no such file or folder, expected a checkpoint");
  }
  if (fs::is_directory(status)) {
    return {newest_snapshot(source).value_or(source), {}};
  }
  const std::string extension = source.extension().string();
  if (extension == ".onnx") {
    refuse(source.string(), ": is an ONNX graph, which is not read, expected the checkpoint that it was made from");
  }
  if (extension != ".safetensors" && extension != ".bin" && extension != ".index") {
    refuse(source.string(), ": is not a checkpoint, expected a folder, or a .safetensors, .bin or .index file in one");
  }
  return {source.has_parent_path() ? source.parent_path() : fs::path("."), source};
}

// Where a checkpoint came from, without the paths of this machine: the name of its folder, or what a hub cache
// (models--OWNER--NAME/snapshots/REVISION) says.
std::string provenance_of(const fs::path& folder) {
  std::error_code ignored;
  fs::path absolute = fs::absolute(folder, ignored).lexically_normal();
  if (absolute.filename().empty()) {
    absolute = absolute.parent_path();
  }
  const std::string name = absolute.filename().string();
  std::string repository = absolute.parent_path().parent_path().filename().string();
  constexpr std::string_view kCache = "models--";
  if (absolute.parent_path().filename() != "snapshots" || !repository.starts_with(kCache)) {
    return name;
  }
  repository.erase(0, kCache.size());
  const size_t separator = repository.find("--");  // an owner's name has none
  return (separator == std::string::npos ? repository
                                         : repository.substr(0, separator) + '/' + repository.substr(separator + 2)) +
         '@' + name;
}

JsonObject load_config(const fs::path& folder) {
  std::error_code ignored;
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin",
                           "pytorch_adapter.bin"}) {
    if (fs::exists(folder / name, ignored)) {
      refuse(folder.string(), ": holds an adapter (LoRA or another one; it has ", name,
             "), expected one that is merged into its base model");
    }
  }
  // The last two are what the original releases have.
  for (const char* name : {"config.json", "bert_config.json", "albert_config.json"}) {
    if (fs::exists(folder / name, ignored)) {
      return JsonObject::load(folder / name);
    }
  }
  refuse(folder.string(), ": has no config.json, expected the folder of a Hugging Face model");
}

// The output must not be one of the files that are read.
void check_distinct(const fs::path& output, const Checkpoint& checkpoint) {
  for (const fs::path& file : checkpoint.files) {
    std::error_code ignored;
    if (fs::equivalent(output, file, ignored)) {
      refuse(output.string(), ": is a file of the checkpoint itself, expected another name for the output");
    }
  }
}

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

ConvertResult run(const ConvertOptions& options, OutputFile* given, const Progress& progress) {
  if (options.precision != "int8" && options.precision != "fp32") {
    refuse("the precision ", quote(options.precision), " is not known, expected int8 or fp32");
  }
  const auto task = options.task ? std::optional(parse_task(*options.task)) : std::nullopt;
  progress("reading the checkpoint", 0);
  const SourcePaths paths = find_source(options.source);
  std::optional<OutputFile> own;
  OutputFile& file = given != nullptr ? *given : own.emplace(options.output);

  const auto found = paths.weights.empty() ? read_sentence_modules(paths.folder) : std::nullopt;
  const SentenceModules modules = found.value_or(SentenceModules{paths.folder, {}, {}, {}, {}, {}, kNone});
  const std::string source = modules.transformer.string();
  BuildRequest request = {load_config(modules.transformer),
                          open_checkpoint(modules.transformer, paths.weights),
                          source,
                          task,
                          options.labels,
                          found.has_value(),
                          {modules.embedding.pooling, modules.embedding.normalize && modules.dense.empty()}};
  check_distinct(file.path(), request.checkpoint);
  const JsonObject config = request.config;
  ConvertResult result;
  result.source_bytes = request.checkpoint.bytes;
  result.source_files = request.checkpoint.files;
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
  const auto tokenizer = load_tokenizer(modules.transformer, found.has_value());
  apply_limits(modules, tokenizer.get(), source, &model);
  add_task_facts(modules.transformer, config, tokenizer.get(), &model);
  if (options.precision == "int8") {
    quantize_model(options, tokenizer.get(), progress, &model, &result);
  } else if (!options.keep_fp32.empty()) {
    refuse("patterns of matrices that stay fp32 go with the precision int8");
  } else if (!options.calibration.empty() || options.sensitivity || options.max_loss) {
    refuse("calibration goes with the precision int8");
  }
  result.output_bytes =
      write_model(model, tokenizer.get(), {options.precision, provenance_of(paths.folder)}, file, progress);
  progress("done", 1);
  return result;
}

ConvertResult guarded(const ConvertOptions& options, OutputFile* given) {
  const Progress progress = options.progress ? options.progress : [](const std::string&, double) {};
  try {
    return run(options, given, progress);
  } catch (const std::bad_alloc&) {
    refuse(options.source.string(), ": there is not enough memory to convert it");
  } catch (const fs::filesystem_error& error) {
    refuse(options.source.string(), ": ", error.code().message());
  }
}

}  // namespace

ConvertResult convert(const ConvertOptions& options) { return guarded(options, nullptr); }

ConvertResult convert(const ConvertOptions& options, OutputFile& file) { return guarded(options, &file); }

}  // namespace kinglet::convert
