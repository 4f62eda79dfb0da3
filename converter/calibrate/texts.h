// Texts to calibrate with: what a model is shown while its numbers are watched.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::convert {

// A text, a pair of texts, or token ids with the special tokens in place.
struct CalibrationInput {
  std::string text;
  std::optional<std::string> pair;
  std::vector<int32_t> ids, type_ids;  // not empty: instead of the text; type_ids may be empty (all 0)
};

struct CalibrationTexts {
  std::string path;
  std::vector<CalibrationInput> inputs;  // at least one
};

// Reads a file of texts, labels or not:
// - NAME.json: SQuAD; each question with its context is a pair;
// - NAME.conll: tagging data; the words of a sentence with spaces between them are a text;
// - a file whose first line has a column `text`, or `sentence1` and `sentence2`, between TABs: TSV as eval/data.h has
//   it. The sentences are a pair, or, for `apart` (models that embed each by itself), two texts;
// - anything else: a text a line. Empty lines are left out, and a TAB is refused: the file may have lost its header.
// Throws Error "FILE:LINE: what was wrong; expected …".
CalibrationTexts read_calibration_texts(const std::filesystem::path& path, bool apart);

// `count` of them (or all), drawn without repetition by a generator that `seed` starts, in the order of the file. The
// same on every machine.
std::vector<CalibrationInput> draw_inputs(const CalibrationTexts& texts, size_t count, uint64_t seed);

}  // namespace kinglet::convert
