// Files to examples.
#include "train/examples.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <set>

#include "base/text.h"
#include "eval/conll.h"
#include "eval/data.h"
#include "eval/squad.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::refuse;

namespace {

constexpr uint32_t kStrideShare = 3;  // windows of a long context overlap by this part of what they hold of it

// A sentence as a text, and where its words begin in it.
struct Joined {
  std::string text;
  std::vector<size_t> begins;
};

Joined join(const eval::Sentence& sentence) {
  Joined joined;
  for (const std::string& word : sentence.words) {
    joined.text += joined.text.empty() ? "" : " ";
    joined.begins.push_back(joined.text.size());
    joined.text += word;
  }
  return joined;
}

bool is_templates(const Span& offset) {
  return offset.begin == KINGLET_NO_OFFSET;
}

bool parse_whole(const std::string& text, uint64_t* number) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end;
}

Model open_model(const fs::path& path) {
  Result<Model> model = Model::open(path.c_str());
  if (!model) {
    refuse(model.error().message());
  }
  return *std::move(model);
}

Session make_session(const Model& model) {
  Result<Session> session = Session::create(model);
  if (!session) {
    refuse(session.error().message());
  }
  return *std::move(session);
}

Example plain(const Tokens& tokens) {
  Example example;
  example.ids = tokens.ids;
  example.types = tokens.type_ids;
  example.score = std::numeric_limits<float>::quiet_NaN();
  return example;
}

}  // namespace

Kind kind_of_data(const fs::path& path) {
  const std::string extension = path.extension().string();
  if (extension == ".conll" || extension == ".bio" || extension == ".iob") {
    return Kind::tag;
  }
  if (extension == ".json") {
    return Kind::answer;
  }
  return eval::read_tsv(path).has_label ? Kind::classify : Kind::regress;
}

std::vector<std::string> labels_of_data(Kind kind, const std::vector<fs::path>& paths) {
  std::set<std::string> names;
  for (const fs::path& path : paths) {
    if (kind == Kind::tag) {
      for (const eval::Sentence& sentence : eval::read_conll(path)) {
        names.insert(sentence.tags.begin(), sentence.tags.end());
      }
    } else {
      const eval::DataSet data = eval::read_tsv(path);
      if (!data.has_label) {
        refuse(path.string(), ": has no column \"label\", which classification learns from");
      }
      for (const eval::Example& example : data.examples) {
        names.insert(example.label);
      }
    }
  }
  std::vector<std::string> labels(names.begin(), names.end());
  constexpr size_t kMostLabels = 4096;
  if (labels.size() < 2 || labels.size() > kMostLabels) {
    refuse(paths.front().string(), ": has ", labels.size(), " different labels, expected 2 to ", kMostLabels);
  }
  const bool numbers = std::all_of(labels.begin(), labels.end(), [](const std::string& label) {
    uint64_t ignored = 0;
    return parse_whole(label, &ignored);
  });
  if (numbers) {
    const auto number = [](const std::string& label) {
      uint64_t value = 0;
      parse_whole(label, &value);
      return value;
    };
    std::sort(labels.begin(), labels.end(),
              [&](const std::string& a, const std::string& b) { return number(a) < number(b); });
    // A label may be given by its index: names that are other numbers would be taken for one another.
    for (size_t i = 0; i < labels.size(); ++i) {
      if (number(labels[i]) != i) {
        refuse(paths.front().string(), ": its labels are numbers, but ", i, " does not occur, expected 0 to ",
               labels.size() - 1, " or names");
      }
    }
  }
  return labels;
}

Reader::Reader(const fs::path& model, uint32_t max_length)
    : model_(open_model(model)), session_(make_session(model_)), max_length_(max_length) {}

Tokens Reader::tokenize(const Input& input, uint32_t max_length, const std::string& place) {
  Result<Tokens> tokens = session_.tokenize(input, max_length);
  if (!tokens) {
    refuse(place, ": ", tokens.error().message());
  }
  return *std::move(tokens);
}

void Reader::read(Kind kind, const fs::path& path, const std::vector<std::string>& labels, ExampleSet* set) {
  if (kind == Kind::tag) {
    return read_tags(path, labels, set);
  }
  if (kind == Kind::answer) {
    return read_questions(path, set);
  }
  read_tsv(kind, path, labels, set);
}

void Reader::read_tsv(Kind kind, const fs::path& path, const std::vector<std::string>& labels, ExampleSet* set) {
  const eval::DataSet data = eval::read_tsv(path);
  if (kind == Kind::classify ? !data.has_label : !data.has_score) {
    refuse(path.string(), ": has no column ", kind == Kind::classify ? "\"label\"" : "\"score\"",
           ", which the model learns from");
  }
  for (const eval::Example& entry : data.examples) {
    const Input input = data.has_pair ? pair_input(entry.text, entry.pair) : text_input(entry.text);
    const Tokens tokens = tokenize(input, max_length_, path.string() + ":" + std::to_string(entry.line));
    Example example = plain(tokens);
    if (kind == Kind::classify) {
      example.label = eval::label_index(data, entry, labels);
    } else {
      example.score = static_cast<float>(entry.score);
    }
    set->truncated += tokens.truncated ? 1 : 0;
    ++set->texts;
    set->examples.push_back(std::move(example));
  }
}

void Reader::read_texts(const fs::path& path, ExampleSet* set) {
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path)) {
    refuse(path.string(), ": cannot be read: ", fs::is_directory(path) ? "is a directory" : std::strerror(errno));
  }
  std::string line;
  for (size_t number = 1; std::getline(file, line); ++number) {
    if (!line.empty() && line.back() == '\r') {
      line.pop_back();
    }
    if (line.empty()) {
      continue;
    }
    const size_t tab = line.find('\t');
    const std::string_view all = line;
    const Input input =
        tab == std::string::npos ? text_input(all) : pair_input(all.substr(0, tab), all.substr(tab + 1));
    const Tokens tokens = tokenize(input, max_length_, path.string() + ":" + std::to_string(number));
    set->truncated += tokens.truncated ? 1 : 0;
    ++set->texts;
    set->examples.push_back(plain(tokens));
  }
  if (file.bad()) {
    refuse(path.string(), ": cannot be read: ", std::strerror(errno));
  }
}

// The first token of every word has its tag, as run_ner.py of transformers has it.
void Reader::read_tags(const fs::path& path, const std::vector<std::string>& labels, ExampleSet* set) {
  for (const eval::Sentence& sentence : eval::read_conll(path)) {
    const Joined joined = join(sentence);
    const Tokens tokens =
        tokenize(text_input(joined.text), max_length_, path.string() + ":" + std::to_string(sentence.line));
    Example example = plain(tokens);
    example.tags.assign(tokens.ids.size(), kNoLabel);
    size_t token = 0;
    for (size_t word = 0; word < joined.begins.size(); ++word) {
      const size_t begin = joined.begins[word];
      const size_t end = begin + sentence.words[word].size();
      while (token < tokens.ids.size() && (is_templates(tokens.offsets[token]) || tokens.offsets[token].end <= begin)) {
        ++token;
      }
      const auto label = std::find(labels.begin(), labels.end(), sentence.tags[word]);
      if (label == labels.end()) {
        refuse(path.string(), ":", sentence.line + word, ": the tag ", convert::quote(sentence.tags[word]),
               " is not one of the model's (", convert::list_text(labels), ")");
      }
      if (token < tokens.ids.size() && tokens.offsets[token].begin < end) {
        example.tags[token] = static_cast<int32_t>(label - labels.begin());
      }
    }
    set->truncated += tokens.truncated ? 1 : 0;
    ++set->texts;
    set->examples.push_back(std::move(example));
  }
}

void Reader::read_questions(const fs::path& path, ExampleSet* set) {
  const eval::QuestionSet questions = eval::read_squad(path);
  for (const eval::Question& question : questions.questions) {
    const std::string& context = questions.contexts[question.context];
    const Tokens tokens = tokenize(pair_input(question.question, context), 0, path.string() + ": " + question.id);
    ++set->texts;
    int64_t begin = kNoLabel, end = kNoLabel;
    if (!question.answers.empty()) {
      const size_t from = question.begins[0], size = question.answers[0].size();
      if (from == eval::kNoPlace || context.compare(from, size, question.answers[0]) != 0 || size == 0) {
        refuse(path.string(), ": the answer ", convert::quote(question.answers[0]), " to ", convert::quote(question.id),
               " does not stand at its answer_start in the context");
      }
      begin = static_cast<int64_t>(from), end = static_cast<int64_t>(from + size);
    }
    add_windows(tokens, begin, end, set);
  }
}

// Windows of a long context, each behind the whole question. An answer that a window does not hold is "not here": its
// first token, as run_qa.py of transformers has it.
void Reader::add_windows(const Tokens& tokens, int64_t begin, int64_t end, ExampleSet* set) const {
  const size_t count = tokens.ids.size();
  size_t first = 0;  // of the context
  while (first < count && is_templates(tokens.offsets[first])) {
    ++first;
  }
  while (first < count && !is_templates(tokens.offsets[first])) {
    ++first;  // the question
  }
  while (first < count && is_templates(tokens.offsets[first])) {
    ++first;
  }
  size_t last = first;
  while (last < count && !is_templates(tokens.offsets[last])) {
    ++last;
  }
  const size_t around = first + (count - last);
  if (around + 8 > max_length_) {
    ++set->truncated;  // the question alone fills the window
    return;
  }
  const size_t room = max_length_ - around, overlap = room / kStrideShare;
  for (size_t from = first;; from += room - overlap) {
    const size_t to = std::min(from + room, last);
    Example example;
    example.score = std::numeric_limits<float>::quiet_NaN();
    const auto take = [&](size_t a, size_t b) {
      const auto at = [](const std::vector<int32_t>& list, size_t i) {
        return list.begin() + static_cast<std::ptrdiff_t>(i);
      };
      example.ids.insert(example.ids.end(), at(tokens.ids, a), at(tokens.ids, b));
      example.types.insert(example.types.end(), at(tokens.type_ids, a), at(tokens.type_ids, b));
    };
    take(0, first);
    take(from, to);
    take(last, count);
    int64_t start = kNoLabel, stop = kNoLabel;
    for (size_t i = from; i < to && begin >= 0; ++i) {
      const Span& offset = tokens.offsets[i];
      if (start == kNoLabel && offset.end > begin && offset.begin < end) {
        start = static_cast<int64_t>(first + i - from);
      }
      if (offset.begin < end && offset.end > begin) {
        stop = static_cast<int64_t>(first + i - from);
      }
    }
    const bool cut_before = from > first && start == static_cast<int64_t>(first) && tokens.offsets[from].begin > begin;
    const bool cut_after = to < last && tokens.offsets[to].begin < end;
    const bool here = start != kNoLabel && stop != kNoLabel && !cut_before && !cut_after;
    example.begin = here ? start : 0;
    example.end = here ? stop : 0;
    set->examples.push_back(std::move(example));
    if (to == last) {
      return;
    }
  }
}

}  // namespace kinglet::train
