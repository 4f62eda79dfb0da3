// Data files for evaluation: TSV with a header line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::eval {

struct Example {
  size_t line = 0;    // in the file, from 1
  std::string text;   // column `text` or `sentence1`
  std::string pair;   // column `sentence2`
  std::string label;  // column `label`, as written
  double score = 0;   // column `score`, finite
};

struct DataSet {
  std::string path;
  bool has_pair = false;
  bool has_label = false;
  bool has_score = false;
  std::vector<Example> examples;  // at least one
};

// Reads a whole file. The header names the columns, in any order: `label` or `score` or both, then `text`, or
// `sentence1` and `sentence2`; other columns are left alone. Fields are between TABs as they are: quotes mean nothing.
// "\r\n" ends a line as "\n" does, a byte-order mark is skipped, empty lines may only end the file. With `texts_alone`
// neither `label` nor `score` is needed. Throws convert::Error "FILE:LINE: what was wrong; expected …".
DataSet read_tsv(const std::filesystem::path& path, bool texts_alone = false);

// The index of a label given by its name, or else by its index. Throws convert::Error with the example's place.
uint32_t label_index(const DataSet& data, const Example& example, const std::vector<std::string>& labels);

}  // namespace kinglet::eval
