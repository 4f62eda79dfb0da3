// Texts to calibrate with.
#include "calibrate/texts.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "base/text.h"
#include "eval/conll.h"
#include "eval/data.h"
#include "eval/squad.h"

namespace kinglet::convert {

namespace {

namespace fs = std::filesystem;

std::ifstream open_lines(const fs::path& path) {
  std::error_code ignored;
  if (fs::is_directory(path, ignored)) {
    refuse(path.string(), ": is a directory; expected a file of texts");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    refuse(path.string(), ": cannot open: ", std::strerror(errno));
  }
  return file;
}

bool read_line(std::ifstream& file, std::string* line) {
  if (!std::getline(file, *line)) {
    return false;
  }
  if (!line->empty() && line->back() == '\r') {
    line->pop_back();
  }
  return true;
}

bool is_header(std::string line) {
  if (line.starts_with("\xef\xbb\xbf")) {
    line.erase(0, 3);
  }
  bool text = false, first = false, second = false;
  for (size_t begin = 0;;) {
    const size_t end = line.find('\t', begin);
    const std::string name = line.substr(begin, end == line.npos ? end : end - begin);
    text = text || name == "text";
    first = first || name == "sentence1";
    second = second || name == "sentence2";
    if (end == line.npos) {
      return text || (first && second);
    }
    begin = end + 1;
  }
}

void read_table(const fs::path& path, bool apart, std::vector<CalibrationInput>* inputs) {
  eval::DataSet data = eval::read_tsv(path, true);
  for (eval::Example& example : data.examples) {
    inputs->push_back({std::move(example.text), {}, {}, {}});
    if (data.has_pair && apart) {
      inputs->push_back({std::move(example.pair), {}, {}, {}});
    } else if (data.has_pair) {
      inputs->back().pair = std::move(example.pair);
    }
  }
}

void read_plain(const fs::path& path, std::vector<CalibrationInput>* inputs) {
  std::ifstream file = open_lines(path);
  std::string line;
  for (size_t number = 1; read_line(file, &line); ++number) {
    if (number == 1 && line.starts_with("\xef\xbb\xbf")) {
      line.erase(0, 3);
    }
    if (line.find('\t') != line.npos) {
      refuse(path.string(), ":", number,
             ": the line has a TAB; expected a text a line, or a header line with the columns text, or sentence1 and "
             "sentence2");
    }
    if (!line.empty()) {
      inputs->push_back({line, {}, {}, {}});
    }
  }
  if (file.bad()) {
    refuse(path.string(), ": cannot read: ", std::strerror(errno));
  }
}

void read_sentences(const fs::path& path, std::vector<CalibrationInput>* inputs) {
  for (const eval::Sentence& sentence : eval::read_conll(path)) {
    CalibrationInput& input = inputs->emplace_back();
    for (const std::string& word : sentence.words) {
      input.text += (input.text.empty() ? "" : " ") + word;
    }
  }
}

void read_questions(const fs::path& path, std::vector<CalibrationInput>* inputs) {
  const eval::QuestionSet set = eval::read_squad(path);
  for (const eval::Question& question : set.questions) {
    inputs->push_back({question.question, set.contexts[question.context], {}, {}});
  }
}

// The generator of Steele, Lea and Flood (2014).
uint64_t split_mix(uint64_t* state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

CalibrationTexts read_calibration_texts(const fs::path& path, bool apart) {
  CalibrationTexts texts = {path.string(), {}};
  if (path.extension() == ".json") {
    read_questions(path, &texts.inputs);
  } else if (path.extension() == ".conll") {
    read_sentences(path, &texts.inputs);
  } else {
    std::string first;
    std::ifstream file = open_lines(path);
    read_line(file, &first);
    file.close();
    is_header(first) ? read_table(path, apart, &texts.inputs) : read_plain(path, &texts.inputs);
  }
  if (texts.inputs.empty()) {
    refuse(texts.path, ": has no texts; expected at least one");
  }
  return texts;
}

std::vector<CalibrationInput> draw_inputs(const CalibrationTexts& texts, size_t count, uint64_t seed) {
  // Each input is taken with the chance that makes `count` of them, so they come in the order of the file.
  std::vector<CalibrationInput> drawn;
  size_t left = texts.inputs.size(), wanted = std::min(count, left);
  for (const CalibrationInput& input : texts.inputs) {
    if (split_mix(&seed) % left < wanted) {
      drawn.push_back(input);
      --wanted;
    }
    --left;
  }
  return drawn;
}

}  // namespace kinglet::convert
