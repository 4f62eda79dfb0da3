#include "eval/conll.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "error.h"

namespace kinglet::eval {

namespace {

// The letter before the hyphen; "" for O.
struct Tag {
  char prefix = 'O';
  std::string type;
};

Tag parse(const std::string& tag) {
  if (tag == "O" || tag.empty()) {
    return {};
  }
  if (tag.size() > 1 && tag[1] == '-' && std::strchr("BIELSU", tag[0]) != nullptr) {
    return {tag[0], tag.substr(2)};
  }
  return {'I', tag};
}

bool begins(const Tag& before, const Tag& here) {
  return std::strchr("BSU", here.prefix) != nullptr || std::strchr("OSUEL", before.prefix) != nullptr ||
         before.type != here.type;
}

}  // namespace

std::vector<Sentence> read_conll(const std::filesystem::path& path) {
  const std::string name = path.string();
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    throw convert::Error(name + ": is a directory; expected a CoNLL file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw convert::Error(name + ": cannot open: " + std::strerror(errno));
  }
  std::vector<Sentence> sentences;
  bool open = false;
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (number == 1 && line.compare(0, 3, "\xef\xbb\xbf") == 0) {
      line.erase(0, 3);
    }
    const bool empty = line.find_first_not_of(" \t") == std::string::npos;
    if (empty || line.compare(0, 10, "-DOCSTART-") == 0) {
      open = false;
      continue;
    }
    const size_t word_end = line.find_first_of(" \t");
    const size_t tag_begin = line.find_last_of(" \t") + 1;  // 0 where there is one column only
    if (word_end == std::string::npos || word_end == 0 || tag_begin == line.size()) {
      throw convert::Error(name + ":" + std::to_string(number) + ": " +
                           (word_end == 0 ? "no word before the first space" : "no tag after the word") +
                           "; expected a word, a TAB or space, and a tag");
    }
    if (!open) {
      sentences.emplace_back();
      sentences.back().line = number;
      open = true;
    }
    sentences.back().words.push_back(line.substr(0, word_end));
    sentences.back().tags.push_back(line.substr(tag_begin));
  }
  if (file.bad()) {
    throw convert::Error(name + ": cannot read: " + std::strerror(errno));
  }
  if (sentences.empty()) {
    throw convert::Error(name + ": no sentences; expected lines of a word and its tag");
  }
  return sentences;
}

std::string type_of_tag(const std::string& tag) { return parse(tag).type; }

std::vector<WordEntity> find_entities(const std::vector<std::string>& tags) {
  std::vector<WordEntity> entities;
  Tag before;
  for (size_t i = 0; i < tags.size(); ++i) {
    const Tag here = parse(tags[i]);
    if (here.prefix != 'O') {
      if (begins(before, here)) {
        entities.push_back({here.type, i, i});
      }
      entities.back().end = i + 1;
    }
    before = here;
  }
  return entities;
}

void EntityCounts::add(const std::vector<WordEntity>& true_ones, const std::vector<WordEntity>& predicted_ones) {
  truth += true_ones.size();
  predicted += predicted_ones.size();
  for (const WordEntity& entity : predicted_ones) {
    both += std::find(true_ones.begin(), true_ones.end(), entity) != true_ones.end() ? 1 : 0;
  }
}

double EntityCounts::precision() const {
  return predicted == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(predicted);
}

double EntityCounts::recall() const {
  return truth == 0 ? 0.0 : static_cast<double>(both) / static_cast<double>(truth);
}

double EntityCounts::f1() const {
  return truth + predicted == 0 ? 0.0 : 2.0 * static_cast<double>(both) / static_cast<double>(truth + predicted);
}

}  // namespace kinglet::eval
