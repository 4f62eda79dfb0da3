// Folders as hubs, caches and people leave them.
#include "readers/source_folder.h"

#include <fstream>
#include <optional>
#include <system_error>

#include "base/text.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

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

}  // namespace

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
  for (const char* name :
       {"adapter_config.json", "adapter_model.safetensors", "adapter_model.bin", "pytorch_adapter.bin"}) {
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

}  // namespace kinglet::convert
