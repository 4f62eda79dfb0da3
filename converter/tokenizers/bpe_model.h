// Byte-level BPE as `tokenizers` has it in memory, and the Bpe table of tokenizer.fbs that it becomes.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "tokenizers/files.h"
#include "tokenizers/text_rules.h"
#include "tokenizer_generated.h"

namespace kinglet::convert {

struct BpeModel {
  std::vector<std::pair<std::string, std::string>> merges;
  bool ignore_merges = false;
  bool split = true;             // by the regular expression of GPT-2
  bool add_prefix_space = false;
  bool in_sequence = false;      // the pre-tokenizer is part of a Sequence, where transformers does not look for it
};

// `model` of a tokenizer.json, its vocabulary excepted; merges as pairs or as strings.
BpeModel read_bpe_model(const Field& model);

// The lines of merges.txt.
std::vector<std::pair<std::string, std::string>> read_merges_txt(const std::string& file, const std::string& text);

// The tables. Throws Error when the merges and the vocabulary contradict each other.
class CompiledBpe {
 public:
  CompiledBpe(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary);

  flatbuffers::Offset<fmt::Bpe> write(flatbuffers::FlatBufferBuilder& builder,
                                      flatbuffers::Offset<fmt::Rules> rules) const;

 private:
  void compile_merges(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary);
  void compile_words(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary);
  uint32_t rank(uint32_t left, uint32_t right) const;
  bool is_own_encoding(const std::string& bytes, uint32_t id) const;

  uint32_t flags_;
  uint32_t max_token_bytes_ = 1;
  std::vector<uint32_t> bytes_, words_, slots_;
  std::vector<fmt::Merge> merges_;
};

}  // namespace kinglet::convert
