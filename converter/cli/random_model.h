// Model files of well-known shapes with random weights, for measuring speed without a checkpoint.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

namespace kinglet::cli {

struct ModelShape {
  const char* name;
  uint32_t layers, hidden, heads, intermediate, vocabulary, positions, types;  // types 0: no type embedding
};

// bert-base, distilbert, minilm-l6 or bert-tiny; null for another name.
const ModelShape* find_shape(const std::string& name);

// A .kgl file in memory, aligned to 64 bytes.
struct ModelBytes {
  struct Free {
    void operator()(uint8_t* data) const { std::free(data); }
  };
  std::unique_ptr<uint8_t, Free> data;
  size_t size = 0;
};

// A BERT encoder with mean pooling and normalisation (task embed), without a tokenizer: inputs are ids. The weights
// are the same on every call, and such that activations stay about 1. `int8`: as the converter writes it; otherwise
// all fp32.
ModelBytes build_random_model(const ModelShape& shape, bool int8);

}  // namespace kinglet::cli
