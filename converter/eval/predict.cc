// Running a model over a data set, batch by batch.
#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "eval/evaluate.h"

namespace kinglet::eval {

using convert::quote;
using convert::refuse;

namespace {

constexpr const char* kOutside = "O";

// One run: what all kinds share.
class Run {
 public:
  Run(const Model& model, const std::string& path, const Data& data, const PredictOptions& options)
      : model_(model), path_(path), data_(data), options_(options), session_(open()) {}

  Predictions run() {
    switch (data_.kind) {
      case Kind::kLabels:
      case Kind::kNumbers:
        classify();
        break;
      case Kind::kEmbeddings:
        embed();
        break;
      case Kind::kTags:
        tag();
        break;
      case Kind::kAnswers:
        answer();
        break;
    }
    return std::move(result_);
  }

 private:
  Session open() {
    if (kind_of(model_, path_) != data_.kind) {
      refuse(path_, ": the model is for another task than the one that ", data_.path, " was read for");
    }
    SessionOptions options;
    options.threads = options_.threads;
    options.batch = std::max(options_.batch, 1u);
    options.max_length = options_.max_length;
    options.raw_outputs = data_.kind == Kind::kTags;
    options.prompt = options_.prompt.empty() ? nullptr : options_.prompt.c_str();
    Result<Session> session = Session::create(model_, options);
    if (!session) {
      refuse(path_, ": ", session.error().message());
    }
    return *std::move(session);
  }

  // Calls compute(begin, end) for one range of examples after the other; it returns a Result<void>.
  template <typename Compute>
  void for_batches(size_t inputs_per_example, Compute compute) {
    const size_t step = std::max<size_t>(1, options_.batch / inputs_per_example);
    for (size_t begin = 0; begin < data_.size(); begin += step) {
      const size_t end = std::min(begin + step, data_.size());
      if (const Result<void> result = compute(begin, end); !result) {
        std::string where = data_.where(begin);
        if (end - begin > 1) {
          where += data_.kind == Kind::kAnswers ? " and those after it"
                                                : "-" + data_.where(end - 1).substr(data_.path.size() + 1);
        }
        refuse(where, ": ", result.error().message());
      }
      if (options_.progress) {
        options_.progress(static_cast<double>(end) / static_cast<double>(data_.size()));
      }
    }
  }

  Result<void> check_finite(const float* values, size_t count) {
    const bool finite = std::all_of(values, values + count, [](float value) { return std::isfinite(value); });
    return finite ? Result<void>() : Error(KINGLET_NON_FINITE, "the model's output is not a finite number");
  }

  void keep(const std::vector<float>& rows, size_t width) {
    result_.width = width;
    if (options_.keep_outputs) {
      result_.outputs.insert(result_.outputs.end(), rows.begin(), rows.end());
    }
  }

  void count_cut(const std::vector<uint8_t>& cut) {
    result_.truncated += static_cast<size_t>(std::count(cut.begin(), cut.end(), 1));
  }

  // The data's index of each of the model's labels.
  std::vector<uint32_t> map_labels() {
    const std::vector<std::string> names = label_names(model_);
    std::vector<uint32_t> map;
    for (size_t i = 0; i < names.size(); ++i) {
      const bool same = i < data_.labels.size() && names[i] == data_.labels[i];
      const auto found = std::find(data_.labels.begin(), data_.labels.end(), names[i]);
      if (!same && found == data_.labels.end()) {
        refuse(path_, ": its label ", quote(names[i]), " is none of those that ", data_.path, " was read with");
      }
      map.push_back(static_cast<uint32_t>(same ? i : static_cast<size_t>(found - data_.labels.begin())));
    }
    return map;
  }

  void classify() {
    const bool labels = data_.kind == Kind::kLabels;
    const std::vector<uint32_t> map = labels ? map_labels() : std::vector<uint32_t>();
    const size_t count = model_.info().label_count;
    std::vector<float> scores, logits;
    for_batches(1, [&](size_t begin, size_t end) {
      std::vector<Input> inputs;
      for (size_t i = begin; i < end; ++i) {
        const Example& example = data_.table.examples[i];
        inputs.push_back(data_.table.has_pair ? pair_input(example.text, example.pair) : text_input(example.text));
      }
      scores.resize(inputs.size() * count);
      logits.resize(inputs.size() * count);
      std::vector<uint8_t> cut(inputs.size(), 0);
      Result<void> result = session_.classify(inputs.data(), inputs.size(), scores.data(), logits.data(), cut.data());
      if (result) {
        result = check_finite(logits.data(), logits.size());
      }
      for (size_t i = 0; result && i < inputs.size(); ++i) {
        const float* row = &logits[i * count];
        if (labels) {
          result_.labels.push_back(map[static_cast<size_t>(std::max_element(row, row + count) - row)]);
        } else {
          result_.numbers.push_back(row[0]);
        }
      }
      keep(logits, count);
      count_cut(cut);
      return result;
    });
  }

  void embed() {
    const size_t width = session_.info().embedding_size;
    const bool pairs = data_.table.has_pair;
    std::vector<float> embeddings;
    for_batches(pairs ? 2 : 1, [&](size_t begin, size_t end) {
      std::vector<Input> inputs;
      for (size_t i = begin; i < end; ++i) {
        inputs.push_back(text_input(data_.table.examples[i].text));
        if (pairs) {
          inputs.push_back(text_input(data_.table.examples[i].pair));
        }
      }
      embeddings.resize(inputs.size() * width);
      std::vector<uint8_t> cut(inputs.size(), 0);
      Result<void> result = session_.embed(inputs.data(), inputs.size(), embeddings.data(), cut.data());
      if (result) {
        result = check_finite(embeddings.data(), embeddings.size());
      }
      for (size_t i = 0; result && pairs && i < inputs.size(); i += 2) {
        result_.numbers.push_back(cosine(&embeddings[i * width], &embeddings[(i + 1) * width], width));
      }
      keep(embeddings, width);
      count_cut(cut);
      return result;
    });
  }

  // The label of the first token of every word of a sentence whose words begin at `begins`.
  std::vector<std::string> word_tags(size_t size, const std::vector<size_t>& begins, const Tokens& tokens,
                                     const Output& logits) {
    std::vector<std::string> tags;
    size_t token = 0;
    for (size_t word = 0; word < begins.size(); ++word) {
      const size_t begin = begins[word];
      const size_t end = word + 1 < begins.size() ? begins[word + 1] - 1 : size;
      while (token < tokens.ids.size() &&
             (tokens.offsets[token].begin == KINGLET_NO_OFFSET || tokens.offsets[token].end <= begin)) {
        ++token;
      }
      if (token == tokens.ids.size() || tokens.offsets[token].begin >= end) {
        tags.push_back(kOutside);
        continue;
      }
      const float* row = logits.data + token * names_.size();
      tags.push_back(names_[static_cast<size_t>(std::max_element(row, row + names_.size()) - row)]);
    }
    return tags;
  }

  void tag() {
    names_ = label_names(model_);
    uint32_t output = 0;
    while (output + 1 < model_.info().output_count && model_.output_name(output) != "logits") {
      ++output;
    }
    const uint32_t limit = options_.max_length != 0 ? options_.max_length : model_.info().max_length;
    for_batches(1, [&](size_t begin, size_t end) -> Result<void> {
      std::vector<std::string> texts;
      std::vector<std::vector<size_t>> begins(end - begin);
      for (size_t i = begin; i < end; ++i) {
        size_t at = 0;
        for (const std::string& word : data_.sentences[i].words) {
          begins[i - begin].push_back(at);
          at += word.size() + 1;
        }
        texts.push_back(data_.text(i));
      }
      // Tokenizing is a call of its own, so it comes before the results.
      std::vector<Tokens> tokens;
      std::vector<Input> inputs;
      for (const std::string& text : texts) {
        Result<Tokens> result = session_.tokenize(text, limit);
        if (!result) {
          return result.error();
        }
        result_.truncated += result->truncated ? 1 : 0;
        tokens.push_back(*std::move(result));
        inputs.push_back(text_input(text));
      }
      if (Result<void> result = session_.encode(inputs.data(), inputs.size()); !result) {
        return result;
      }
      for (size_t i = 0; i < texts.size(); ++i) {
        const Result<Output> logits = session_.output(i, output);
        if (!logits) {
          return logits.error();
        }
        result_.tags.push_back(word_tags(texts[i].size(), begins[i], tokens[i], *logits));
      }
      return {};
    });
  }

  void answer() {
    const QuestionSet& set = data_.questions;
    AnswerOptions options = KINGLET_ANSWER_OPTIONS_INIT;
    options.no_answer = set.has_impossible ? 1 : 0;
    for_batches(1, [&](size_t begin, size_t end) -> Result<void> {
      std::vector<Input> inputs;
      for (size_t i = begin; i < end; ++i) {
        inputs.push_back(pair_input(set.questions[i].question, set.contexts[set.questions[i].context]));
      }
      if (Result<void> result = session_.answer(inputs.data(), inputs.size(), &options); !result) {
        return result;
      }
      for (size_t i = begin; i < end; ++i) {
        const Result<View<AnswerSpan>> answers = session_.answers(i - begin);
        Span span{0, 0};
        if (answers && answers->size > 0 && (*answers)[0].span.begin < (*answers)[0].span.end) {
          span = (*answers)[0].span;
        }
        result_.spans.push_back(span);
        result_.answers.push_back(set.contexts[set.questions[i].context].substr(span.begin, span.end - span.begin));
      }
      return {};
    });
  }

  const Model& model_;
  const std::string& path_;
  const Data& data_;
  const PredictOptions& options_;
  Session session_;
  std::vector<std::string> names_;  // of tags
  Predictions result_;
};

}  // namespace

Predictions predict(const Model& model, const std::string& model_path, const Data& data,
                    const PredictOptions& options) {
  return Run(model, model_path, data, options).run();
}

}  // namespace kinglet::eval
