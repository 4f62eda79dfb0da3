// Writing what the reader reads, after table_format.md and tensor_bundle.proto.
#include "tensorflow_fixtures.h"

#include <span>

#include "readers/table_file.h"

namespace kinglet::test {

namespace fs = std::filesystem;

namespace {

std::string fixed(uint64_t value, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) {
    text += static_cast<char>(value >> (8 * i));
  }
  return text;
}

// A block of entries without its trailer.
std::string block_bytes(const std::vector<std::pair<std::string, std::string>>& entries) {
  std::string bytes, last;
  for (const auto& [key, value] : entries) {
    size_t shared = 0;
    while (shared < last.size() && shared < key.size() && last[shared] == key[shared]) {
      ++shared;
    }
    bytes += varint(shared) + varint(key.size() - shared) + varint(value.size()) + key.substr(shared) + value;
    last = key;
  }
  return bytes + fixed(0, 4) + fixed(1, 4);
}

// Appends a block and its trailer, and returns its handle.
std::string append_block(std::string* file, const std::string& block) {
  const std::string handle = varint(file->size()) + varint(block.size());
  const std::string typed = block + '\0';
  const uint32_t crc = convert::crc32c({reinterpret_cast<const uint8_t*>(typed.data()), typed.size()});
  *file += typed + fixed(convert::mask_crc32c(crc), 4);
  return handle;
}

RandomTensor transposed(const RandomTensor& tensor) {
  RandomTensor result = {{tensor.shape[1], tensor.shape[0]}, {}};
  for (uint32_t column = 0; column < tensor.shape[1]; ++column) {
    for (uint32_t row = 0; row < tensor.shape[0]; ++row) {
      result.values.push_back(tensor.values[size_t{row} * tensor.shape[1] + column]);
    }
  }
  return result;
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  if (const size_t at = text.find(from); at != std::string::npos) {
    text.replace(at, from.size(), to);
  }
}

bool ends(std::string& name, const std::string& end, const std::string& instead) {
  if (!name.ends_with(end)) {
    return false;
  }
  name.replace(name.size() - end.size(), std::string::npos, instead);
  return true;
}

// Names with the renaming of `parts`, and the ends that both models share.
Tensors renamed(const Tensors& tensors, const std::vector<std::pair<std::string, std::string>>& parts) {
  Tensors variables;
  for (const auto& [given, tensor] : tensors) {
    std::string name = given;
    for (char& c : name) {
      c = c == '.' ? '/' : c;
    }
    for (const auto& [from, to] : parts) {
      replace(name, from, to);
    }
    const bool whole =
        ends(name, "_embeddings/weight", "_embeddings") || ends(name, "LayerNorm/weight", "LayerNorm/gamma") ||
        ends(name, "LayerNorm/bias", "LayerNorm/beta") || ends(name, "LayerNorm_1/weight", "LayerNorm_1/gamma") ||
        ends(name, "LayerNorm_1/bias", "LayerNorm_1/beta") ||
        ends(name, "seq_relationship/weight", "seq_relationship/output_weights") ||
        ends(name, "seq_relationship/bias", "seq_relationship/output_bias") ||
        ends(name, "predictions/bias", "predictions/output_bias");
    const bool kernel = !whole && ends(name, "/weight", "/kernel");
    variables[name] = kernel ? transposed(tensor) : tensor;
    variables[name + "/adam_m"] = variables[name + "/adam_v"] = variables[name];
  }
  variables["global_step"] = {{}, {1}};
  return variables;
}

}  // namespace

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) {
    bytes += static_cast<char>(value | 0x80);
  }
  return bytes + static_cast<char>(value);
}

std::string number_field(uint32_t field, uint64_t value) {
  return varint(field << 3) + varint(value);
}

std::string bytes_field(uint32_t field, const std::string& bytes) {
  return varint(field << 3 | 2) + varint(bytes.size()) + bytes;
}

std::string table_bytes(const std::map<std::string, std::string>& entries, size_t per_block) {
  std::string file;
  std::vector<std::pair<std::string, std::string>> block, index;
  for (auto entry = entries.begin(); entry != entries.end();) {
    block.push_back(*entry);
    ++entry;
    if (block.size() == per_block || entry == entries.end()) {
      index.emplace_back(block.back().first, append_block(&file, block_bytes(block)));
      block.clear();
    }
  }
  const std::string meta_handle = append_block(&file, block_bytes({}));
  std::string footer = meta_handle + append_block(&file, block_bytes(index));
  footer.resize(40);
  return file + footer + fixed(0xdb4775248b80fb57, 8);
}

std::string bundle_entry(const std::vector<uint32_t>& shape, uint64_t offset, uint64_t size) {
  std::string dimensions;
  for (const uint32_t dimension : shape) {
    dimensions += bytes_field(2, number_field(1, dimension));
  }
  return number_field(1, 1) + bytes_field(2, dimensions) + number_field(4, offset) + number_field(5, size) +
         varint(6 << 3 | 5) + fixed(0, 4);
}

std::string bundle_header() {
  return number_field(1, 1) + bytes_field(3, number_field(1, 1));
}

void write_tensorflow(const fs::path& prefix, const Tensors& variables) {
  std::map<std::string, std::string> entries = {{"", bundle_header()}};
  std::string data;
  for (const auto& [name, tensor] : variables) {
    const uint64_t size = tensor.values.size() * sizeof(float);
    entries[name] = bundle_entry(tensor.shape, data.size(), size);
    data.append(reinterpret_cast<const char*>(tensor.values.data()), size);
  }
  write_file(prefix.string() + ".index", table_bytes(entries));
  write_file(prefix.string() + ".data-00000-of-00001", data);
}

Tensors tensorflow_bert(const Tensors& tensors) {
  Tensors variables;
  for (auto& [name, tensor] : renamed(tensors, {{"encoder/layer/", "encoder/layer_"}})) {
    variables[name] = tensor;
  }
  return variables;
}

Tensors tensorflow_albert(const Tensors& tensors) {
  return renamed(tensors, {{"albert/", "bert/"},
                           {"albert_layer_groups/", "transformer/group_"},
                           {"albert_layers/", "inner_group_"},
                           {"attention/query", "attention_1/self/query"},
                           {"attention/key", "attention_1/self/key"},
                           {"attention/value", "attention_1/self/value"},
                           {"attention/dense", "attention_1/output/dense"},
                           {"attention/LayerNorm", "LayerNorm"},
                           {"full_layer_layer_norm", "LayerNorm_1"},
                           {"ffn/", "ffn_1/intermediate/dense/"},
                           {"ffn_output/", "ffn_1/intermediate/output/dense/"},
                           {"pooler/", "pooler/dense/"},
                           {"sop_classifier/classifier", "cls/seq_relationship"},
                           {"predictions/dense", "cls/predictions/transform/dense"},
                           {"predictions/LayerNorm", "cls/predictions/transform/LayerNorm"},
                           {"predictions/bias", "cls/predictions/bias"}});
}

}  // namespace kinglet::test
