// Unigram and Metaspace as `tokenizers` has them in memory, and the Unigram table of tokenizer.fbs that they become.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "tokenizers/files.h"
#include "tokenizer_generated.h"

namespace kinglet::convert {

struct UnigramModel {
  std::vector<std::pair<std::string, double>> pieces;  // by id
  std::optional<uint64_t> unknown;
  bool byte_fallback = false;
  // Metaspace.
  uint32_t marker = 0x2581;
  bool prefix = true, only_first = false;  // whether a marker is put before a text; only at the very beginning
  bool split = true;
  bool split_spaces = false;               // WhitespaceSplit stands before it
};

// `model` of a tokenizer.json.
UnigramModel read_unigram_model(const Field& model);

// `pre_tokenizer` of a tokenizer.json: Metaspace in its old and new forms, alone or in Sequences, behind
// WhitespaceSplit or not.
void read_metaspace(const Field& field, UnigramModel& model);

std::map<std::string, uint32_t> vocabulary_of(const UnigramModel& model);

// The tables. `token_count` ids get a score. Throws Error when the model contradicts itself.
class CompiledUnigram {
 public:
  CompiledUnigram(const UnigramModel& model, uint32_t token_count);

  flatbuffers::Offset<fmt::Unigram> write(flatbuffers::FlatBufferBuilder& builder,
                                          flatbuffers::Offset<fmt::Rules> rules) const;

 private:
  std::vector<uint32_t> trie_, bytes_;
  std::vector<double> scores_;
  bool precise_ = false;
  uint32_t unknown_ = 0, max_token_chars_ = 1, marker_, flags_;
  double unknown_score_ = 0;
};

}  // namespace kinglet::convert
