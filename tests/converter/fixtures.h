// Checkpoints made to order: small, random, and broken in one place.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "convert.h"

namespace kinglet::test {

using Json = nlohmann::ordered_json;
using ByteVector = std::vector<uint8_t>;

void write_file(const std::filesystem::path& path, std::string_view content);
std::string read_file(const std::filesystem::path& path);

// How many files and folders are directly in this one.
size_t entries(const std::filesystem::path& folder);

// Checks that a message has this part.
void contains(const std::string& message, const std::string& part);

// Changes a JSON file in place.
void edit_json(const std::filesystem::path& path, const std::function<void(Json&)>& edit);

// The bytes of a safetensors file with this header text; `length` says how long the header claims to be.
std::string safetensors_bytes(const std::string& header, const std::string& data);
std::string safetensors_bytes(const std::string& header, const std::string& data, uint64_t length);

struct RandomTensor {
  std::vector<uint32_t> shape;
  std::vector<float> values;
};
using Tensors = std::map<std::string, RandomTensor>;

// An F32 safetensors file.
void write_safetensors(const std::filesystem::path& path, const Tensors& tensors);

struct BertShape {
  uint32_t hidden = 32, heads = 2, layers = 1, intermediate = 48, vocabulary = 40, positions = 24, types = 2;
  uint32_t embedding = 0;  // width of the embedding tables, with a projection after them; 0: hidden, without
};

// Random weights of a BertModel with a pooler, named without prefix, of a size that keeps activations near 1. The
// projection behind embedding tables of another width is called embeddings_project, as in ELECTRA.
Tensors random_bert(const BertShape& shape, uint32_t seed);
Json bert_config(const BertShape& shape, const std::string& architecture);

// A checkpoint folder without a tokenizer: config.json and model.safetensors.
void write_bert(const std::filesystem::path& folder, const BertShape& shape, const Tensors& tensors,
                const std::string& architecture);

// Converts, and returns the error's message, or "" when there was none. Checks that the message is one line, and that
// a failed conversion left nothing in the output's folder that was not there before.
std::string convert_error(const convert::ConvertOptions& options);
std::string convert_error(const std::filesystem::path& source);

// Stored zip entries, as torch.save writes them.
class ZipBuilder {
 public:
  void add(const std::string& name, const std::string& content, uint16_t method = 0, uint16_t flags = 0);
  std::string bytes() const;

 private:
  std::string data_, directory_;
  uint16_t count_ = 0;
};

// A pytorch_model.bin with this pickle and these storages.
std::string pytorch_bytes(const std::string& pickle, const std::map<std::string, std::string>& storages);

// What torch.save writes for a state dictionary: a zip archive, or what it wrote before PyTorch 1.6.
std::string torch_save_bytes(const Tensors& tensors, bool legacy);

// The pickle of a state dictionary with one FloatStorage tensor "x", stored under key "0".
std::string tensor_pickle(uint32_t storage_elements, uint32_t offset, const std::vector<uint32_t>& shape,
                          const std::vector<uint32_t>& strides);

}  // namespace kinglet::test
