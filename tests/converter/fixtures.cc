// Checkpoints made to order.
#include "fixtures.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>

#include "error.h"
#include "support/temporary.h"

namespace kinglet::test {

namespace fs = std::filesystem;

namespace {

std::string number_bytes(uint64_t value, size_t size) {
  std::string bytes;
  for (size_t i = 0; i < size; ++i) {
    bytes += i < sizeof(value) ? static_cast<char>(value >> (8 * i)) : '\0';
  }
  return bytes;
}

std::set<std::string> names_in(const fs::path& folder) {
  std::set<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

}  // namespace

void write_file(const fs::path& path, std::string_view content) {
  fs::create_directories(path.parent_path());
  std::ofstream stream(path, std::ios::binary);
  stream.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!stream.flush()) {
    throw std::runtime_error("cannot write " + path.string());
  }
}

std::string read_file(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    throw std::runtime_error("cannot read " + path.string());
  }
  std::ostringstream content;
  content << stream.rdbuf();
  return content.str();
}

size_t entries(const std::filesystem::path& folder) {
  using Iterator = std::filesystem::directory_iterator;
  return static_cast<size_t>(std::distance(Iterator(folder), Iterator()));
}

void contains(const std::string& message, const std::string& part) {
  INFO("message: ", message);
  CHECK(message.find(part) != std::string::npos);
}

void edit_json(const fs::path& path, const std::function<void(Json&)>& edit) {
  Json json = Json::parse(read_file(path));
  edit(json);
  write_file(path, json.dump());
}

std::string safetensors_bytes(const std::string& header, const std::string& data) {
  return safetensors_bytes(header, data, header.size());
}

std::string safetensors_bytes(const std::string& header, const std::string& data, uint64_t length) {
  return number_bytes(length, 8) + header + data;
}

void write_safetensors(const fs::path& path, const Tensors& tensors) {
  Json header = Json::object();
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {begin, data.size()}}};
  }
  write_file(path, safetensors_bytes(header.dump(), data));
}

Tensors random_bert(const BertShape& shape, uint32_t seed) {
  std::mt19937 random(seed);
  Tensors tensors;
  const auto add = [&](const std::string& name, std::vector<uint32_t> dimensions, float mean, float deviation) {
    std::normal_distribution<float> normal(mean, deviation);
    RandomTensor tensor = {dimensions, {}};
    size_t count = 1;
    for (const uint32_t dimension : dimensions) {
      count *= dimension;
    }
    for (size_t i = 0; i < count; ++i) {
      tensor.values.push_back(normal(random));
    }
    tensors[name] = std::move(tensor);
  };
  const auto add_linear = [&](const std::string& name, uint32_t rows, uint32_t columns) {
    add(name + ".weight", {rows, columns}, 0, 1 / std::sqrt(static_cast<float>(columns)));
    add(name + ".bias", {rows}, 0, 0.3f);
  };
  const auto add_norm = [&](const std::string& name, uint32_t width) {
    add(name + ".weight", {width}, 1, 0.2f);
    add(name + ".bias", {width}, 0, 0.2f);
  };
  const uint32_t embedding = shape.embedding == 0 ? shape.hidden : shape.embedding;
  add("embeddings.word_embeddings.weight", {shape.vocabulary, embedding}, 0, 1);
  add("embeddings.position_embeddings.weight", {shape.positions, embedding}, 0, 0.5f);
  add("embeddings.token_type_embeddings.weight", {shape.types, embedding}, 0, 0.5f);
  add_norm("embeddings.LayerNorm", embedding);
  if (shape.embedding != 0) {
    add_linear("embeddings_project", shape.hidden, embedding);
  }
  for (uint32_t i = 0; i < shape.layers; ++i) {
    const std::string layer = "encoder.layer." + std::to_string(i);
    for (const char* name :
         {".attention.self.query", ".attention.self.key", ".attention.self.value", ".attention.output.dense"}) {
      add_linear(layer + name, shape.hidden, shape.hidden);
    }
    add_norm(layer + ".attention.output.LayerNorm", shape.hidden);
    add_linear(layer + ".intermediate.dense", shape.intermediate, shape.hidden);
    add_linear(layer + ".output.dense", shape.hidden, shape.intermediate);
    add_norm(layer + ".output.LayerNorm", shape.hidden);
  }
  add_linear("pooler.dense", shape.hidden, shape.hidden);
  return tensors;
}

Json bert_config(const BertShape& shape, const std::string& architecture) {
  return {{"model_type", "bert"},
          {"architectures", {architecture}},
          {"hidden_size", shape.hidden},
          {"num_attention_heads", shape.heads},
          {"num_hidden_layers", shape.layers},
          {"intermediate_size", shape.intermediate},
          {"vocab_size", shape.vocabulary},
          {"max_position_embeddings", shape.positions},
          {"type_vocab_size", shape.types},
          {"hidden_act", "gelu"},
          {"layer_norm_eps", 1e-12}};
}

void write_bert(const fs::path& folder, const BertShape& shape, const Tensors& tensors,
                const std::string& architecture) {
  write_file(folder / "config.json", bert_config(shape, architecture).dump());
  write_safetensors(folder / "model.safetensors", tensors);
}

std::string convert_error(const convert::ConvertOptions& options) {
  fs::path folder = options.output.parent_path();
  const auto before = names_in(folder);
  try {
    convert::convert(options);
    return "";
  } catch (const convert::Error& error) {
    const std::string message = error.what();
    CHECK(message.find('\n') == std::string::npos);
    CHECK(!message.empty());
    CHECK(names_in(folder) == before);
    return message;
  }
}

std::string convert_error(const fs::path& source) {
  const TemporaryFolder folder;
  convert::ConvertOptions options;
  options.source = source;
  options.output = folder / "out.kgl";
  return convert_error(options);
}

void ZipBuilder::add(const std::string& name, const std::string& content, uint16_t method, uint16_t flags) {
  const std::string common = number_bytes(flags, 2) + number_bytes(method, 2) + number_bytes(0, 8) +
                             number_bytes(content.size(), 4) + number_bytes(content.size(), 4) +
                             number_bytes(name.size(), 2) + number_bytes(0, 2);
  directory_ += std::string("PK\1\2") + number_bytes(20, 2) + number_bytes(20, 2) + common + number_bytes(0, 10) +
                number_bytes(data_.size(), 4) + name;
  data_ += std::string("PK\3\4") + number_bytes(20, 2) + common + name + content;
  ++count_;
}

std::string ZipBuilder::bytes() const {
  return data_ + directory_ + "PK\5\6" + number_bytes(0, 4) + number_bytes(count_, 2) + number_bytes(count_, 2) +
         number_bytes(directory_.size(), 4) + number_bytes(data_.size(), 4) + number_bytes(0, 2);
}

std::string pytorch_bytes(const std::string& pickle, const std::map<std::string, std::string>& storages) {
  ZipBuilder zip;
  zip.add("archive/data.pkl", pickle);
  zip.add("archive/byteorder", "little");
  for (const auto& [key, content] : storages) {
    zip.add("archive/data/" + key, content);
  }
  return zip.bytes();
}

namespace {

std::string pickled_integer(uint32_t value) { return "J" + number_bytes(value, 4); }
std::string pickled_text(const std::string& value) { return "X" + number_bytes(value.size(), 4) + value; }

}  // namespace

std::string torch_save_bytes(const Tensors& tensors, bool legacy) {
  std::map<std::string, std::string> storages;
  std::string pickle = "\x80\x02}(", keys, data;
  for (const auto& [name, tensor] : tensors) {
    const std::string key = std::to_string(94000000 + storages.size());  // they were addresses once
    storages[key] = std::string(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * 4);
    data += number_bytes(tensor.values.size(), 8) + storages[key];
    keys += pickled_text(key);
    std::string dimensions = "(", strides = "(";
    for (size_t d = 0; d < tensor.shape.size(); ++d) {
      dimensions += pickled_integer(tensor.shape[d]);
      strides += pickled_integer(d + 1 < tensor.shape.size() ? tensor.shape[d + 1] : 1);
    }
    pickle += pickled_text(name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + pickled_text("storage") +
              "ctorch\nFloatStorage\n" + pickled_text(key) + pickled_text("cpu") +
              pickled_integer(static_cast<uint32_t>(tensor.values.size())) + (legacy ? "NtQK" : "tQK") +
              std::string(1, '\0') + dimensions + "t" + strides + "t\x89" + "ccollections\nOrderedDict\n)RtR";
  }
  pickle += "u.";
  if (!legacy) {
    return pytorch_bytes(pickle, storages);
  }
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + std::string("\x80\x02M\xe9\x03.") +
         "\x80\x02}(" + pickled_text("protocol_version") + "M\xe9\x03" + pickled_text("little_endian") + "\x88" +
         pickled_text("type_sizes") + "}(" + pickled_text("int") + "K\x04" + "uu." + pickle + "\x80\x02](" + keys +
         "e." + data;
}

std::string tensor_pickle(uint32_t storage_elements, uint32_t offset, const std::vector<uint32_t>& shape,
                          const std::vector<uint32_t>& strides) {
  const auto integer = [](uint32_t value) { return std::string("J") + number_bytes(value, 4); };
  const auto text = [](const std::string& value) { return std::string("X") + number_bytes(value.size(), 4) + value; };
  const auto tuple = [&](const std::vector<uint32_t>& values) {
    std::string bytes = "(";
    for (const uint32_t value : values) {
      bytes += integer(value);
    }
    return bytes + "t";
  };
  return std::string("\x80\x02}(") + text("x") + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") +
         "ctorch\nFloatStorage\n" + text("0") + text("cpu") + integer(storage_elements) + "tQ" + integer(offset) +
         tuple(shape) + tuple(strides) + "\x89" + "ccollections\nOrderedDict\n)RtRu.";
}

}  // namespace kinglet::test
