// Test helper: a tokenizer folder compiled and opened in memory.
#pragma once

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tokenizer/tokenizer.h"
#include "tokenizers/auto_tokenizer.h"
#include "tokenizers/compile.h"

namespace kinglet::test {

struct Tokens {
  std::vector<int32_t> ids, type_ids;
  std::vector<kinglet_span> offsets;
  bool truncated = false;
};

// Owns the FlatBuffer that its tokenizer reads.
class Compiled {
 public:
  explicit Compiled(const std::filesystem::path& folder) : Compiled(convert::compile_tokenizer(folder)) {}
  explicit Compiled(convert::LoadedTokenizer loaded) : Compiled(convert::compile_tokenizer(std::move(loaded))) {}
  explicit Compiled(std::unique_ptr<convert::CompiledTokenizer> compiled) : compiled_(std::move(compiled)) {
    if (compiled_ == nullptr) {
      throw std::runtime_error("the folder has no tokenizer");
    }
    builder_.Finish(compiled_->write(builder_));
    Error error;
    if (Tokenizer::open(table(), compiled_->size(), 0, &tokenizer_, error) != KINGLET_OK) {
      throw std::runtime_error(error.message);
    }
  }

  const fmt::Tokenizer& table() const { return *flatbuffers::GetRoot<fmt::Tokenizer>(builder_.GetBufferPointer()); }
  std::string bytes() const {
    return {reinterpret_cast<const char*>(builder_.GetBufferPointer()), builder_.GetSize()};
  }
  const convert::CompiledTokenizer& compiled() const { return *compiled_; }
  const Tokenizer& tokenizer() const { return tokenizer_; }

  Tokens encode(std::string_view text, const std::string_view* pair = nullptr, size_t max_length = 0,
                std::string_view prefix = {}) const {
    Tokens tokens;
    TokenSink sink;
    Error error;
    for (int pass = 0; pass < 2; ++pass) {
      if (tokenizer_.encode(prefix, text, pair, max_length, sink, error) != KINGLET_OK) {
        throw std::runtime_error(error.message);
      }
      if (pass == 0) {
        tokens.ids.resize(sink.size);
        tokens.type_ids.resize(sink.size);
        tokens.offsets.resize(sink.size);
        sink = {tokens.ids.data(), tokens.type_ids.data(), tokens.offsets.data(), sink.size, 0, false};
      }
    }
    tokens.truncated = sink.truncated;
    return tokens;
  }

 private:
  std::unique_ptr<convert::CompiledTokenizer> compiled_;
  flatbuffers::FlatBufferBuilder builder_;
  Tokenizer tokenizer_;
};

}  // namespace kinglet::test
