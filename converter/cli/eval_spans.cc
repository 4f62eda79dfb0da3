#include "cli/eval_spans.h"

#include <algorithm>
#include <set>
#include <vector>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/task.h"
#include "cli/text.h"
#include "error.h"
#include "eval/conll.h"
#include "eval/squad.h"

namespace kinglet::cli {

namespace {

constexpr const char* kOutside = "O";

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

uint32_t logits_index(const Model& model) {
  uint32_t index = 0;
  while (index + 1 < model.info().output_count && model.output_name(index) != "logits") {
    ++index;
  }
  return index;
}

// The data's types must be the model's: scores of others would say nothing.
void check_types(const std::filesystem::path& path, const std::vector<eval::Sentence>& sentences,
                 const std::vector<std::string>& labels) {
  std::set<std::string> known;
  for (const std::string& label : labels) {
    known.insert(eval::type_of_tag(label));
  }
  for (const eval::Sentence& sentence : sentences) {
    for (size_t i = 0; i < sentence.tags.size(); ++i) {
      const std::string type = eval::type_of_tag(sentence.tags[i]);
      if (!type.empty() && known.count(type) == 0) {
        std::string list;
        for (const std::string& label : labels) {
          list += (list.empty() ? "" : ", ") + label;
        }
        throw convert::Error(path.string() + ":" + std::to_string(sentence.line + i) + ": tag \"" +
                             shorten(sentence.tags[i], 60) + "\" is not one of the model's (" + list + ")");
      }
    }
  }
}

// The label of the first token of every word.
std::vector<std::string> word_tags(const Joined& joined, const Tokens& tokens, const Output& logits,
                                   const std::vector<std::string>& labels) {
  std::vector<std::string> tags;
  size_t token = 0;
  for (size_t word = 0; word < joined.begins.size(); ++word) {
    const size_t begin = joined.begins[word];
    const size_t end = word + 1 < joined.begins.size() ? joined.begins[word + 1] - 1 : joined.text.size();
    while (token < tokens.ids.size() &&
           (tokens.offsets[token].begin == KINGLET_NO_OFFSET || tokens.offsets[token].end <= begin)) {
      ++token;
    }
    if (token == tokens.ids.size() || tokens.offsets[token].begin >= end) {
      tags.push_back(kOutside);
      continue;
    }
    const float* row = logits.data + token * labels.size();
    tags.push_back(labels[static_cast<size_t>(std::max_element(row, row + labels.size()) - row)]);
  }
  return tags;
}

}  // namespace

SpanFigures measure_tags(const Model& model, Session& session, const std::filesystem::path& data, uint32_t max_length,
                         uint32_t batch) {
  const std::vector<eval::Sentence> sentences = eval::read_conll(data);
  std::vector<std::string> labels;
  for (uint32_t i = 0; i < model.info().label_count; ++i) {
    labels.push_back(label_name(model, i));
  }
  check_types(data, sentences, labels);
  const uint32_t output = logits_index(model);
  const uint32_t limit = max_length != 0 ? max_length : model.info().max_length;
  SpanFigures figures;
  eval::EntityCounts counts;
  size_t words = 0, right = 0;
  Progress progress;
  for (size_t begin = 0; begin < sentences.size(); begin += batch) {
    const size_t end = std::min(begin + batch, sentences.size());
    std::vector<Joined> texts;
    for (size_t i = begin; i < end; ++i) {
      texts.push_back(join(sentences[i]));
    }
    // Tokenizing is a call of its own, so it comes before the results.
    std::vector<Tokens> tokens;
    std::vector<Input> inputs;
    const auto fail = [&](size_t i, const Error& error) {
      throw InputError(data.string() + ":" + std::to_string(sentences[i].line) + ": " + error.message());
    };
    for (size_t i = begin; i < end; ++i) {
      Result<Tokens> result = session.tokenize(texts[i - begin].text, limit);
      if (!result) {
        fail(i, result.error());
      }
      figures.truncated += result->truncated ? 1 : 0;
      tokens.push_back(*std::move(result));
      inputs.push_back(text_input(texts[i - begin].text));
    }
    if (const Result<void> result = session.encode(inputs.data(), inputs.size()); !result) {
      fail(begin, result.error());
    }
    for (size_t i = begin; i < end; ++i) {
      const Result<Output> logits = session.output(i - begin, output);
      if (!logits) {
        fail(i, logits.error());
      }
      const std::vector<std::string> tags = word_tags(texts[i - begin], tokens[i - begin], *logits, labels);
      counts.add(eval::find_entities(sentences[i].tags), eval::find_entities(tags));
      for (size_t word = 0; word < tags.size(); ++word) {
        right += tags[word] == sentences[i].tags[word] ? 1 : 0;
      }
      words += tags.size();
    }
    progress.show("evaluating", static_cast<double>(end) / static_cast<double>(sentences.size()));
  }
  figures.count = sentences.size();
  figures.accuracy = static_cast<double>(right) / static_cast<double>(words);
  figures.precision = counts.precision();
  figures.recall = counts.recall();
  figures.f1 = counts.f1();
  return figures;
}

SpanFigures measure_answers(Session& session, const std::filesystem::path& data, uint32_t batch) {
  const eval::QuestionSet set = eval::read_squad(data);
  AnswerOptions options = KINGLET_ANSWER_OPTIONS_INIT;
  options.no_answer = set.has_impossible ? 1 : 0;
  SpanFigures figures;
  Progress progress;
  for (size_t begin = 0; begin < set.questions.size(); begin += batch) {
    const size_t end = std::min(begin + batch, set.questions.size());
    std::vector<Input> inputs;
    for (size_t i = begin; i < end; ++i) {
      inputs.push_back(pair_input(set.questions[i].question, set.contexts[set.questions[i].context]));
    }
    if (const Result<void> result = session.answer(inputs.data(), inputs.size(), &options); !result) {
      throw InputError(data.string() + ": from question " + set.questions[begin].id + " on: " +
                       result.error().message());
    }
    for (size_t i = begin; i < end; ++i) {
      const Result<View<AnswerSpan>> answers = session.answers(i - begin);
      std::string_view text;
      if (answers && answers->size > 0 && (*answers)[0].span.begin < (*answers)[0].span.end) {
        const Span span = (*answers)[0].span;
        text = std::string_view(set.contexts[set.questions[i].context]).substr(span.begin, span.end - span.begin);
      }
      figures.exact_match += eval::exact_match(set.questions[i], text);
      figures.f1 += eval::word_f1(set.questions[i], text);
    }
    progress.show("evaluating", static_cast<double>(end) / static_cast<double>(set.questions.size()));
  }
  figures.count = set.questions.size();
  figures.exact_match /= static_cast<double>(figures.count);
  figures.f1 /= static_cast<double>(figures.count);
  return figures;
}

}  // namespace kinglet::cli
