// Unigram as `tokenizers` has it in memory, and the Unigram table of tokenizer.fbs that they become.
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
#include "tokenizer_generated.h"

namespace kinglet::convert {

struct UnigramModel : Metaspace {
  std::vector<std::pair<std::string, double>> pieces;  // by id
  std::optional<uint64_t> unknown;
  bool byte_fallback = false;
};

// `model` of a tokenizer.json.
UnigramModel read_unigram_model(const Field& model);

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
