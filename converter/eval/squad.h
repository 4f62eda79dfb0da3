// Questions in SQuAD form, and how well an answer agrees with the truth: evaluate-v2.0.py of the data set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::eval {

constexpr size_t kNoPlace = SIZE_MAX;

struct Question {
  std::string id, question;
  size_t context = 0;                // index in QuestionSet.contexts
  std::vector<std::string> answers;  // none: the context has no answer
  std::vector<size_t> begins;        // of the answers, in bytes of the context; kNoPlace where answer_start is not there
};

struct QuestionSet {
  std::vector<std::string> contexts;
  std::vector<Question> questions;  // at least one
  bool has_impossible = false;      // some question has no answer
};

// Reads {"data":[{"paragraphs":[{"context":…,"qas":[{"id":…,"question":…,"answers":[{"text":…}]}]}]}]}. Throws
// convert::Error that names the file and the field.
QuestionSet read_squad(const std::filesystem::path& path);

// Lower case, without ASCII punctuation and English articles, one space between words.
std::string normalize_answer(std::string_view text);

// 1 or 0, and the F1 of the answers' words: the best over the true answers; for a question without one an empty
// `predicted` is right.
double exact_match(const Question& question, std::string_view predicted);
double word_f1(const Question& question, std::string_view predicted);

}  // namespace kinglet::eval
