// Training data as token ids with what is to be learnt from each: TSV, CoNLL and SQuAD files, and plain texts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kinglet.hpp"
#include "train/engine.h"

namespace kinglet::train {

struct Example {
  std::vector<int32_t> ids, types;
  int64_t label = kNoLabel;   // classify
  float score = 0;            // regress; NaN: unknown
  std::vector<int32_t> tags;  // tag: a label per token, kNoLabel where there is none; empty: unknown
  int64_t begin = kNoLabel,
          end = kNoLabel;  // answer: its first and last token, both the first token where it is not here
};

struct ExampleSet {
  std::vector<Example> examples;
  size_t texts = 0;      // read; long contexts make several examples each
  size_t truncated = 0;  // cut at max_length
};

// What a data file holds, by its name and header: .conll, .json (SQuAD), or TSV with labels or only scores. Throws
// convert::Error.
Kind kind_of_data(const std::filesystem::path& path);

// The labels of classify or tag in all of the files, in the order of their numbers when all are whole numbers, and else
// of their names. Throws convert::Error.
std::vector<std::string> labels_of_data(Kind kind, const std::vector<std::filesystem::path>& paths);

// Turns texts into examples with the tokenizer of a .kgl file. Not thread-safe.
class Reader {
 public:
  // `model`: any file with the tokenizer; `max_length` at most the model's. Throws convert::Error.
  Reader(const std::filesystem::path& model, uint32_t max_length);

  // Appends a file's examples. Labels are names or indices; unknown ones are refused. Throws convert::Error.
  void read(Kind kind, const std::filesystem::path& path, const std::vector<std::string>& labels, ExampleSet* set);
  // Appends texts without labels, one per line; a TAB is between the texts of a pair.
  void read_texts(const std::filesystem::path& path, ExampleSet* set);

  uint32_t max_length() const { return max_length_; }
  const Model& model() const { return model_; }

 private:
  Tokens tokenize(const Input& input, uint32_t max_length, const std::string& place);
  void read_tsv(Kind kind, const std::filesystem::path& path, const std::vector<std::string>& labels, ExampleSet* set);
  void read_tags(const std::filesystem::path& path, const std::vector<std::string>& labels, ExampleSet* set);
  void read_questions(const std::filesystem::path& path, ExampleSet* set);
  void add_windows(const Tokens& tokens, int64_t begin, int64_t end, ExampleSet* set) const;

  Model model_;
  Session session_;
  uint32_t max_length_;
};

}  // namespace kinglet::train
