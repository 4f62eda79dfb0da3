// TensorFlow checkpoints made to order: the two files that a tf.train.Saver writes.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fixtures.h"

namespace kinglet::test {

// A LevelDB table of these entries, with keys that share what they have in common, `per_block` of them in a block.
std::string table_bytes(const std::map<std::string, std::string>& entries, size_t per_block = 16);

// A varint, and a field of a protocol-buffers message that is a number or bytes.
std::string varint(uint64_t value);
std::string number_field(uint32_t field, uint64_t value);
std::string bytes_field(uint32_t field, const std::string& bytes);

// The entry of a tensor of 32-bit floats in shard 0.
std::string bundle_entry(const std::vector<uint32_t>& shape, uint64_t offset, uint64_t size);

// The header of a bundle of one shard.
std::string bundle_header();

// PREFIX.index and PREFIX.data-00000-of-00001 with these variables.
void write_tensorflow(const std::filesystem::path& prefix, const Tensors& variables);

// What the original BERT calls the tensors of transformers, matrices transposed, with an optimiser's variables beside
// them.
Tensors tensorflow_bert(const Tensors& tensors);
Tensors tensorflow_albert(const Tensors& tensors);

}  // namespace kinglet::test
