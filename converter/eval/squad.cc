#include "eval/squad.h"

#include <algorithm>
#include <cctype>

#include "base/json_file.h"
#include "base/text.h"
#include "tasks/lowercase.h"
#include "tasks/trim.h"
#include "tokenizer/utf8.h"

namespace kinglet::eval {

namespace {

using convert::Json;

// A member of an object, with its place for errors.
struct Place {
  const Json* json;
  std::string name;

  Place get(const char* field) const {
    if (!json->is_object() || !json->contains(field)) {
      convert::refuse(name, ": has no field ", convert::quote(field), ", expected SQuAD JSON");
    }
    return {&(*json)[field], name + "." + field};
  }
  std::vector<Place> list() const {
    if (!json->is_array()) {
      convert::refuse(name, ": is not a list, expected SQuAD JSON");
    }
    std::vector<Place> places;
    for (size_t i = 0; i < json->size(); ++i) {
      places.push_back({&(*json)[i], name + "[" + std::to_string(i) + "]"});
    }
    return places;
  }
  std::string text() const {
    if (!json->is_string()) {
      convert::refuse(name, ": is not a string, expected SQuAD JSON");
    }
    return json->get<std::string>();
  }
};

// What \b of Python's regular expressions looks at, but for the rarer punctuation of other scripts.
bool is_word_character(uint32_t c) {
  if (c < 0x80) {
    return std::isalnum(static_cast<int>(c)) != 0 || c == '_';
  }
  const bool sign = (c < 0xc0 && c != 0xaa && c != 0xb5 && c != 0xba) || c == 0xd7 || c == 0xf7;
  return !sign && !(c >= 0x2000 && c <= 0x2bff) && !(c >= 0x3000 && c <= 0x3004) && !(c >= 0x3008 && c <= 0x3020) &&
         c != kReplacement;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  const Source source({}, text);
  bool inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (is_white_space(decode(source, text.size(), at))) {
      inside = false;
      continue;
    }
    if (!inside) {
      words.emplace_back();
      inside = true;
    }
    words.back().append(text, begin, at - begin);
  }
  return words;
}

// A space in the place of every "a", "an" and "the" between characters that are not of words.
std::string without_articles(const std::string& text) {
  std::string out, word;
  const Source source({}, text);
  const auto end_word = [&] {
    out += word == "a" || word == "an" || word == "the" ? " " : word;
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (is_word_character(decode(source, text.size(), at))) {
      word.append(text, begin, at - begin);
    } else {
      end_word();
      out.append(text, begin, at - begin);
    }
  }
  end_word();
  return out;
}

// Where the character of that number begins; kNoPlace when the text has none.
size_t byte_of_character(const std::string& text, uint64_t character) {
  size_t at = 0;
  const Source source({}, text);
  while (character > 0 && at < text.size()) {
    decode(source, text.size(), at);
    --character;
  }
  return character == 0 ? at : kNoPlace;
}

double f1_of(const std::vector<std::string>& truth, const std::vector<std::string>& predicted) {
  if (truth.empty() || predicted.empty()) {
    return truth.empty() && predicted.empty() ? 1.0 : 0.0;
  }
  std::vector<std::string> a = truth, b = predicted, common;
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  return 2.0 * static_cast<double>(common.size()) / static_cast<double>(a.size() + b.size());
}

// The true answers that count: those that normalisation leaves something of, or the empty one.
std::vector<std::string> true_answers(const Question& question) {
  std::vector<std::string> answers;
  for (const std::string& answer : question.answers) {
    if (std::string normal = normalize_answer(answer); !normal.empty()) {
      answers.push_back(std::move(normal));
    }
  }
  if (answers.empty()) {
    answers.emplace_back();
  }
  return answers;
}

}  // namespace

QuestionSet read_squad(const std::filesystem::path& path) {
  const convert::JsonObject file = convert::JsonObject::load(path);
  QuestionSet set;
  for (const Place& article : Place{&file.json(), file.name()}.get("data").list()) {
    for (const Place& paragraph : article.get("paragraphs").list()) {
      set.contexts.push_back(paragraph.get("context").text());
      for (const Place& entry : paragraph.get("qas").list()) {
        Question question;
        question.id = entry.json->is_object() && entry.json->contains("id") ? entry.get("id").text() : entry.name;
        question.question = entry.get("question").text();
        question.context = set.contexts.size() - 1;
        for (const Place& answer : entry.get("answers").list()) {
          question.answers.push_back(answer.get("text").text());
          const auto start = answer.json->find("answer_start");
          question.begins.push_back(start != answer.json->end() && start->is_number_unsigned()
                                        ? byte_of_character(set.contexts.back(), start->get<uint64_t>())
                                        : kNoPlace);
        }
        set.has_impossible = set.has_impossible || question.answers.empty();
        set.questions.push_back(std::move(question));
      }
    }
  }
  if (set.questions.empty()) {
    convert::refuse(file.name(), ": has no questions, expected SQuAD JSON with one at least");
  }
  return set;
}

std::string normalize_answer(std::string_view text) {
  std::string lower;
  const Source source({}, text);
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = lowercase(decode(source, text.size(), at));
    if (c >= 0x80 || std::ispunct(static_cast<int>(c)) == 0) {
      uint8_t bytes[4];
      lower.append(reinterpret_cast<const char*>(bytes), encode_utf8(c, bytes));
    }
  }
  std::string out;
  for (const std::string& word : split_words(without_articles(lower))) {
    out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

double exact_match(const Question& question, std::string_view predicted) {
  const std::string normal = normalize_answer(predicted);
  const std::vector<std::string> truth = true_answers(question);
  return std::find(truth.begin(), truth.end(), normal) != truth.end() ? 1.0 : 0.0;
}

double word_f1(const Question& question, std::string_view predicted) {
  const std::vector<std::string> words = split_words(normalize_answer(predicted));
  double best = 0;
  for (const std::string& truth : true_answers(question)) {
    best = std::max(best, f1_of(split_words(truth), words));
  }
  return best;
}

}  // namespace kinglet::eval
