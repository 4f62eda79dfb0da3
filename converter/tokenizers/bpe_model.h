// BPE as `tokenizers` has it in memory, of bytes or of characters, and the Bpe table of tokenizer.fbs that it becomes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "tokenizers/files.h"
#include "tokenizers/metaspace.h"
#include "tokenizers/text_rules.h"
#include "tokenizer_generated.h"

namespace kinglet::convert {

struct BpeModel {
  std::vector<std::pair<std::string, std::string>> merges;
  bool ignore_merges = false;
  std::optional<std::string> unknown;  // unk_token
  bool byte_fallback = false, fuse_unknown = false;
  std::optional<Metaspace> metaspace;  // SentencePiece's, of characters; without it, of bytes:
  bool split = true;             // by the regular expression of GPT-2
  bool add_prefix_space = false;
  bool in_sequence = false;      // the pre-tokenizer is part of a Sequence, where transformers does not look for it
};

// `model` of a tokenizer.json, its vocabulary excepted; merges as pairs or as strings.
BpeModel read_bpe_model(const Field& model);

// `pre_tokenizer` of a tokenizer.json for BPE of bytes or of characters; `rules` are those of its normalizer.
void read_bpe_pre_tokenizer(const Field& field, const TextRules& rules, BpeModel& bpe);

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
  void compile_characters(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary);
  void compile_words(const BpeModel& model, const std::map<std::string, uint32_t>& vocabulary);
  uint32_t rank(uint32_t left, uint32_t right) const;
  bool is_own_encoding(std::vector<uint32_t> ids, uint32_t id) const;

  uint32_t flags_;
  uint32_t max_token_bytes_ = 1;
  uint32_t marker_ = 0, marking_ = 0, unknown_ = 0;
  std::vector<uint32_t> bytes_, words_, slots_;
  std::vector<fmt::Merge> merges_;
};

}  // namespace kinglet::convert
