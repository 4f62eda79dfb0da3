// Model files of well-known shapes with random weights, for measuring speed without a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace kinglet::cli {

struct ModelShape {
  const char* name;
  uint32_t layers, hidden, heads, intermediate, vocabulary, positions, types;  // types 0: no type embedding
};

// bert-base, distilbert, minilm-l6 or bert-tiny; null for another name.
const ModelShape* find_shape(const std::string& name);

// A BERT encoder with mean pooling and normalisation (task embed), without a tokenizer: inputs are ids. It goes through
// the converter's own passes and writer into a file in the folder for temporary files, which goes away with the object.
// The weights are the same on every call, and such that activations stay about 1.
class RandomModel {
 public:
  // Throws convert::Error when the file cannot be written.
  RandomModel(const ModelShape& shape, bool int8);
  RandomModel(const RandomModel&) = delete;
  RandomModel& operator=(const RandomModel&) = delete;
  ~RandomModel();

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace kinglet::cli
