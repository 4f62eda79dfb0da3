// An open model file: mapped, checked from the first byte to the last, immutable, safe to use from any thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"
#include "model/file.h"
#include "model_generated.h"
#include "tokenizer/tokenizer.h"

namespace kinglet {

// After a successful open every id, shape and offset in table() has been checked (model/validate.h), all weights are
// finite and without −128, and no run-time input can make the executor read out of bounds.
class Model {
 public:
  // Opens and checks a file, part of a descriptor, or memory (see kinglet.h for units and ownership). The checks run
  // in this order: header, sizes, checksum of the table, FlatBuffers Verifier, semantic pass, weights (checksums and
  // values), tokenizer. Messages begin with the path, the descriptor or the address. A model that failed to open can
  // only be opened again or destroyed.
  kinglet_status open_path(const char* path, Error& error);
  kinglet_status open_fd(int fd, uint64_t offset, uint64_t length, Error& error);
  kinglet_status open_memory(const void* data, size_t size, Error& error);

  const fmt::Model& table() const { return *table_; }
  bool has_tokenizer() const { return table_->tokenizer() != nullptr; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

  // A tensor where it lies in the mapping; aligned to 4 bytes at least.
  const void* tensor(uint32_t id) const;
  // Copies `size` bytes of a tensor from `offset` on into `out` without touching the mapping (embedding rows).
  // Thread-safe. IO_ERROR when the file can no longer be read.
  kinglet_status read_tensor(uint32_t id, uint64_t offset, void* out, size_t size, Error& error) const;
  uint64_t file_size() const { return file_.size(); }

 private:
  friend struct ModelFuzzer;  // tests/fuzz/model_fuzz.cc: load without comparing checksums

  kinglet_status load(bool compare_checksums, Error& error);
  // load, and on failure the release of everything and `source` before the message.
  kinglet_status finish(kinglet_status opened, const char* source, Error& error);

  File file_;
  Buffer<uint8_t> table_bytes_;  // the FlatBuffer, read into aligned memory
  const fmt::Model* table_ = nullptr;
  uint64_t weights_offset_ = 0;
  Tokenizer tokenizer_;
};

// Bytes of a tensor in the file: shape × dtype in its layout. False when the shape is not valid or overflows.
bool tensor_bytes(const fmt::Tensor& tensor, uint64_t* bytes);

}  // namespace kinglet
