// Data files for evaluation: TSV with a header line.
#include "eval/data.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>

#include "error.h"

namespace kinglet::eval {

namespace {

using convert::Error;

// For a message: one line, not too long.
std::string quote(const std::string& text) {
  std::string shown = text.substr(0, 60);
  std::replace_if(shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return '"' + shown + (text.size() > 60 ? "…\"" : "\"");
}

[[noreturn]] void fail(const std::string& path, size_t line, const std::string& message) {
  throw Error(path + ":" + std::to_string(line) + ": " + message);
}

void split(const std::string& line, std::vector<std::string>* fields) {
  fields->clear();
  for (size_t begin = 0;;) {
    const size_t end = line.find('\t', begin);
    fields->push_back(line.substr(begin, end == std::string::npos ? end : end - begin));
    if (end == std::string::npos) {
      return;
    }
    begin = end + 1;
  }
}

// Where each column that matters is; −1: absent.
struct Columns {
  int label = -1, score = -1, text = -1, first = -1, second = -1;
  size_t count = 0;
};

Columns read_header(const std::string& path, const std::vector<std::string>& names, bool texts_alone) {
  Columns columns;
  columns.count = names.size();
  const std::pair<const char*, int*> known[] = {{"label", &columns.label},
                                                {"score", &columns.score},
                                                {"text", &columns.text},
                                                {"sentence1", &columns.first},
                                                {"sentence2", &columns.second}};
  for (size_t i = 0; i < names.size(); ++i) {
    for (const auto& [name, column] : known) {
      if (names[i] == name) {
        if (*column >= 0) {
          fail(path, 1, "column " + quote(names[i]) + " is named twice");
        }
        *column = static_cast<int>(i);
      }
    }
  }
  const char* expected =
      "; expected a header line with label or score, and text, or sentence1 and sentence2, separated by TABs";
  if (!texts_alone && columns.label < 0 && columns.score < 0) {
    fail(path, 1, std::string("no column \"label\" or \"score\"") + expected);
  }
  if (columns.text < 0 && columns.first < 0) {
    fail(path, 1, std::string("no column \"text\" or \"sentence1\"") + expected);
  }
  if (columns.text >= 0 && (columns.first >= 0 || columns.second >= 0)) {
    fail(path, 1, std::string("both \"text\" and sentences") + expected);
  }
  if ((columns.first >= 0) != (columns.second >= 0)) {
    fail(path, 1, std::string("only one of \"sentence1\" and \"sentence2\"") + expected);
  }
  return columns;
}

double read_score(const std::string& path, size_t line, const std::string& text) {
  double score = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, score);
  if (error != std::errc() || stop != end || !std::isfinite(score)) {
    fail(path, line, "score " + quote(text) + " is not a number");
  }
  return score;
}

}  // namespace

DataSet read_tsv(const std::filesystem::path& path, bool texts_alone) {
  DataSet data;
  data.path = path.string();
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw Error(data.path + ": is a directory; expected a TSV file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error(data.path + ": cannot open: " + std::strerror(errno));
  }
  std::string line;
  std::vector<std::string> fields;
  Columns columns;
  size_t empty_at = 0;  // the first of the empty lines just read
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (number == 1) {
      if (line.compare(0, 3, "\xef\xbb\xbf") == 0) {
        line.erase(0, 3);
      }
      split(line, &fields);
      columns = read_header(data.path, fields, texts_alone);
      data.has_pair = columns.second >= 0;
      data.has_label = columns.label >= 0;
      data.has_score = columns.score >= 0;
      continue;
    }
    if (line.empty()) {
      empty_at = empty_at == 0 ? number : empty_at;
      continue;
    }
    if (empty_at != 0) {
      fail(data.path, empty_at, "the line is empty; expected " + std::to_string(columns.count) + " fields");
    }
    split(line, &fields);
    if (fields.size() != columns.count) {
      fail(data.path, number, std::to_string(fields.size()) + " fields; expected " + std::to_string(columns.count) +
                                  ", as in the header line");
    }
    Example example;
    example.line = number;
    example.text = std::move(fields[static_cast<size_t>(columns.text >= 0 ? columns.text : columns.first)]);
    if (data.has_pair) {
      example.pair = std::move(fields[static_cast<size_t>(columns.second)]);
    }
    if (data.has_score) {
      example.score = read_score(data.path, number, fields[static_cast<size_t>(columns.score)]);
    }
    if (data.has_label) {
      example.label = std::move(fields[static_cast<size_t>(columns.label)]);
    }
    data.examples.push_back(std::move(example));
  }
  if (file.bad()) {
    throw Error(data.path + ": cannot read: " + std::strerror(errno));
  }
  if (data.examples.empty()) {
    throw Error(data.path + ": no examples; expected a header line and at least one line after it");
  }
  return data;
}

uint32_t label_index(const DataSet& data, const Example& example, const std::vector<std::string>& labels) {
  const auto found = std::find(labels.begin(), labels.end(), example.label);
  if (found != labels.end()) {
    return static_cast<uint32_t>(found - labels.begin());
  }
  uint32_t index = 0;
  const char* end = example.label.data() + example.label.size();
  const auto [stop, error] = std::from_chars(example.label.data(), end, index);
  if (error == std::errc() && stop == end && index < labels.size()) {
    return index;
  }
  std::string known;
  for (size_t i = 0; i < labels.size() && i < 12; ++i) {
    known += (i > 0 ? ", " : "") + labels[i];
  }
  fail(data.path, example.line, "label " + quote(example.label) + " is not one of the model's (" + known +
                                    (labels.size() > 12 ? ", …" : "") + ") nor an index below " +
                                    std::to_string(labels.size()));
}

}  // namespace kinglet::eval
