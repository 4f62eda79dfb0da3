// config.json, model.safetensors (huggingface.co/docs/safetensors), and copies of the rest.
#include "writer/checkpoint_folder.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>
#include <system_error>

#include "base/text.h"
#include "families/sentence_transformers.h"
#include "kinglet.h"
#include "readers/checkpoint.h"
#include "readers/source_folder.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kChunk = 1 << 20;         // bytes
constexpr uint64_t kLargestCopy = 64 << 20;  // bytes: vocabularies of 250,000 tokens take 20 MB
constexpr size_t kMostCopies = 500;
constexpr char kFacts[] = "kinglet.json";
// What load_config reads in the place of config.json.
const std::set<std::string> kOldConfigs = {"bert_config.json", "albert_config.json"};

uint64_t product(const std::vector<uint32_t>& shape, size_t first) {
  uint64_t elements = 1;
  for (size_t i = first; i < shape.size(); ++i) {
    if (__builtin_mul_overflow(elements, uint64_t{shape[i]}, &elements)) {
      refuse("a tensor of the shape ", shape_text(shape), " is too large");
    }
  }
  return elements;
}

std::string dump(const Json& json, const char* what, int indent) {
  try {
    return json.dump(indent);
  } catch (const Json::exception&) {
    refuse(what, ": holds a string that is not UTF-8");
  }
}

std::vector<const Tensor*> sorted_by_name(const std::vector<Tensor>& tensors) {
  std::vector<const Tensor*> sorted;
  for (const Tensor& tensor : tensors) {
    sorted.push_back(&tensor);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Tensor* a, const Tensor* b) { return a->name < b->name; });
  for (size_t i = 0; i < sorted.size(); ++i) {
    if (sorted[i]->name == "__metadata__" || (i > 0 && sorted[i]->name == sorted[i - 1]->name)) {
      refuse("model.safetensors: the tensor ", quote(sorted[i]->name), " cannot be written, its name is taken");
    }
  }
  return sorted;
}

// The length, the header, and spaces up to a multiple of 8 bytes.
std::string safetensors_header(const std::vector<const Tensor*>& tensors) {
  Json header = {{"__metadata__", {{"format", "pt"}}}};
  uint64_t offset = 0;
  for (const Tensor* tensor : tensors) {
    const uint64_t end = offset + sizeof(float) * product(tensor->shape, 0);
    header[tensor->name] = {{"dtype", "F32"}, {"shape", tensor->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = dump(header, "model.safetensors", -1);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(uint64_t{text.size()} >> (8 * i));
  }
  return bytes + text;
}

void write_weights(const CheckpointFolder& folder, OutputFolder& out, const std::function<void(double)>& progress) {
  static_assert(std::endian::native == std::endian::little);
  const std::vector<const Tensor*> tensors = sorted_by_name(folder.tensors);
  uint64_t total = 0, done = 0;
  for (const Tensor* tensor : tensors) {
    total += product(tensor->shape, 0);
  }
  const std::string header = safetensors_header(tensors);
  out.begin(folder.beside_config("model.safetensors"));
  out.write(header.data(), header.size());
  std::vector<float> chunk;
  for (const Tensor* tensor : tensors) {
    const uint64_t rows = tensor->shape.size() < 2 ? 1 : tensor->shape[0];
    const uint64_t columns = product(tensor->shape, tensor->shape.size() < 2 ? 0 : 1);
    if (columns == 0) {
      continue;
    }
    const uint64_t step = std::max<uint64_t>(1, kChunk / sizeof(float) / columns);
    for (uint64_t row = 0; row < rows; row += step) {
      const uint64_t count = std::min(step, rows - row);
      chunk.resize(count * columns);
      tensor->source->read(row, count, chunk.data());
      out.write(chunk.data(), chunk.size() * sizeof(float));
      done += chunk.size();
      if (progress) {
        progress(static_cast<double>(done) / static_cast<double>(total));
      }
    }
  }
  out.end();
}

void copy_file(const fs::path& from, const std::string& name, OutputFolder& out) {
  const auto file = open_file(from);
  std::string chunk;
  out.begin(name);
  for (uint64_t offset = 0; offset < file->size(); offset += chunk.size()) {
    chunk.resize(std::min(kChunk, file->size() - offset));
    file->read(offset, chunk.data(), chunk.size());
    out.write(chunk.data(), chunk.size());
  }
  out.end();
}

// What is written anew, and what other frameworks keep the same weights in.
bool is_weights(const fs::path& path) {
  static const std::set<std::string> kExtensions = {".safetensors", ".bin", ".pt",   ".pth",  ".ckpt",   ".h5",
                                                    ".msgpack",     ".ot",  ".onnx", ".kgl",  ".gguf",   ".index",
                                                    ".meta",        ".npz", ".pkl",  ".data", ".tflite", ".mlmodel"};
  const std::string name = path.filename().string();
  return kExtensions.count(path.extension().string()) != 0 || name.ends_with(".index.json") ||
         name.find(".ckpt") != name.npos || name.find(".data-") != name.npos;
}

// Copies the files of source/`from`, and of folders in it when `whole`.
class Copier {
 public:
  Copier(const CheckpointFolder& folder, OutputFolder& out) : folder_(folder), out_(out) {}

  void copy(const std::string& from, bool whole) {
    std::vector<fs::directory_entry> entries{fs::directory_iterator(folder_.source / from), fs::directory_iterator()};
    std::sort(entries.begin(), entries.end());
    for (const fs::directory_entry& entry : entries) {
      const std::string file = entry.path().filename().string();
      const std::string name = from.empty() ? file : from + '/' + file;
      if (file.front() == '.' || folder_.files.count(name) != 0 || out_.has(name) || name == kFacts ||
          kOldConfigs.count(file) != 0) {
        continue;
      }
      if (entry.is_regular_file() && (whole || (!is_weights(file) && entry.file_size() <= kLargestCopy))) {
        if (++copies_ > kMostCopies) {
          refuse(folder_.source.string(), ": has more than ", kMostCopies, " files, expected the folder of one model");
        }
        copy_file(entry.path(), name, out_);
      }
    }
  }

 private:
  const CheckpointFolder& folder_;
  OutputFolder& out_;
  size_t copies_ = 0;
};

// Of the modules behind the transformer, whose weights are their own.
std::vector<std::string> module_folders(const CheckpointFolder& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  if (!fs::exists(folder.source / "modules.json", ignored)) {
    return names;
  }
  // read_sentence_modules has checked that these are folders inside.
  read_sentence_modules(folder.source);
  const auto file = open_file(folder.source / "modules.json");
  std::string text(file->size(), '\0');
  file->read(0, text.data(), text.size());
  for (const Json& module : parse_json(text, (folder.source / "modules.json").string())) {
    const fs::path path = fs::path(JsonObject(module, "modules.json").text("path", "")).lexically_normal();
    std::string name = path.filename().empty() ? path.parent_path().generic_string() : path.generic_string();
    name = name == "." ? "" : name;
    if (!name.empty() && name != folder.transformer && fs::is_directory(folder.source / name, ignored)) {
      names.push_back(name);
    }
  }
  return names;
}

bool lies_in(const fs::path& inner, const fs::path& outer) {
  const fs::path a = fs::weakly_canonical(fs::absolute(inner)), b = fs::weakly_canonical(fs::absolute(outer));
  return std::mismatch(b.begin(), b.end(), a.begin(), a.end()).first == b.end();
}

}  // namespace

CheckpointFolder read_checkpoint_folder(const fs::path& given) {
  const SourcePaths paths = find_source(given);
  CheckpointFolder folder;
  folder.source = paths.folder;
  if (const auto modules = paths.weights.empty() ? read_sentence_modules(paths.folder) : std::nullopt) {
    const fs::path relative =
        modules->transformer.lexically_normal().lexically_relative(paths.folder.lexically_normal());
    const fs::path name = relative.filename().empty() ? relative.parent_path() : relative;
    folder.transformer = name == "." ? "" : name.generic_string();
  }
  const fs::path transformer = folder.source / folder.transformer;
  folder.config = load_config(transformer).json();
  for (const char* field : {"torch_dtype", "dtype"}) {
    if (folder.config.contains(field)) {
      folder.config[field] = "float32";
    }
  }
  for (auto& [name, stored] : open_checkpoint(transformer, paths.weights).tensors) {
    if (stored.type == ElementType::other) {
      continue;
    }
    Tensor tensor = {name, {}, nullptr, Storage::f32};
    for (const uint64_t dimension : stored.shape) {
      if (dimension > UINT32_MAX) {
        refuse(stored.file->name(), ": the tensor ", quote(name), " has the shape ", shape_text(stored.shape),
               ", which is too large");
      }
      tensor.shape.push_back(static_cast<uint32_t>(dimension));
    }
    tensor.source = stored_source(stored, product(tensor.shape, tensor.shape.size() < 2 ? 0 : 1));
    folder.tensors.push_back(std::move(tensor));
  }
  std::error_code ignored;
  if (fs::is_regular_file(folder.source / kFacts, ignored)) {
    const JsonObject facts = JsonObject::load(folder.source / kFacts);
    if (const Json* passes = facts.find("passes"); passes != nullptr && passes->is_array()) {
      for (const Json& pass : *passes) {
        folder.passes.push_back(pass.is_string() ? pass.get<std::string>() : std::string());
      }
    }
  }
  return folder;
}

void check_checkpoint_folder(const CheckpointFolder& folder, const fs::path& out) {
  if (!folder.source.empty() && !out.empty() && (lies_in(out, folder.source) || lies_in(folder.source, out))) {
    refuse(out.string(), ": lies in the source ", folder.source.string(), " or around it, expected a folder elsewhere");
  }
  OutputFolder::check(out);
}

namespace {

void write_files(const CheckpointFolder& folder, OutputFolder& out, const std::function<void(double)>& progress) {
  out.add(folder.beside_config("config.json"), dump(folder.config, "config.json", 2) + "\n");
  for (const auto& [name, bytes] : folder.files) {
    if (bytes) {
      out.add(name, *bytes);
    }
  }
  if (!folder.source.empty()) {
    Copier copier(folder, out);
    copier.copy("", false);
    if (!folder.transformer.empty()) {
      copier.copy(folder.transformer, false);
    }
    for (const std::string& module : module_folders(folder)) {
      copier.copy(module, true);
    }
  }
  write_weights(folder, out, progress);
  if (folder.check) {
    folder.check(out.temporary());
  }
}

// Calls `work`, whose errors become ones that name the folder.
void write_named(const fs::path& path, const std::function<void()>& work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    refuse(path.string(), ": there is not enough memory to write it");
  } catch (const fs::filesystem_error& error) {
    refuse(path.string(), ": cannot be written: ", error.code().message());
  }
}

}  // namespace

void write_checkpoint_folder(const CheckpointFolder& folder, const fs::path& path,
                             const std::function<void(double)>& progress) {
  write_named(path, [&] {
    check_checkpoint_folder(folder, path);
    OutputFolder out(path);
    write_files(folder, out, progress);
    Json facts = {{"converter", std::string("kinglet ") + kinglet_version()}};
    if (!folder.source.empty()) {
      facts["source"] = provenance_of(folder.source);
    }
    facts["passes"] = folder.passes;
    out.commit(std::move(facts));
  });
}

StagedCheckpoint::StagedCheckpoint(const CheckpointFolder& folder, const fs::path& out,
                                   const std::function<void(double)>& progress) {
  write_named(out, [&] {
    files_.emplace(out);
    write_files(folder, *files_, progress);
  });
}

}  // namespace kinglet::convert
