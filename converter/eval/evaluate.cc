// Data files as a model's kind wants them, and metrics from answers.
#include "eval/evaluate.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/text.h"
#include "eval/metrics.h"

namespace kinglet::eval {

using convert::quote;
using convert::refuse;

namespace {

// The data's types must be the model's: scores of others would say nothing.
void check_types(const std::string& path, const std::vector<Sentence>& sentences,
                 const std::vector<std::string>& labels) {
  std::set<std::string> known;
  for (const std::string& label : labels) {
    known.insert(type_of_tag(label));
  }
  for (const Sentence& sentence : sentences) {
    for (size_t i = 0; i < sentence.tags.size(); ++i) {
      const std::string type = type_of_tag(sentence.tags[i]);
      if (!type.empty() && known.count(type) == 0) {
        std::string list;
        for (const std::string& label : labels) {
          list += (list.empty() ? "" : ", ") + label;
        }
        refuse(path, ":", sentence.line + i, ": tag ", quote(sentence.tags[i]), " is not one of the model's (", list,
               ")");
      }
    }
  }
}

void read_table(Data& data, bool texts_alone) {
  data.table = read_tsv(data.path, texts_alone);
  const bool by_label = data.kind == Kind::kLabels;
  const bool pairs = data.kind == Kind::kEmbeddings;
  data.has_truth = (by_label ? data.table.has_label : data.table.has_score) && (!pairs || data.table.has_pair);
  if (!data.has_truth && !texts_alone) {
    if (by_label) {
      refuse(data.path, ":1: no column \"label\"; this model is measured on labels");
    }
    if (!data.table.has_score) {
      refuse(data.path, ":1: no column \"score\"; this model is measured on numbers");
    }
    refuse(data.path, ":1: no columns \"sentence1\" and \"sentence2\"; an embedding model is measured on pairs");
  }
  if (by_label && data.has_truth) {
    for (const Example& example : data.table.examples) {
      data.truth.push_back(label_index(data.table, example, data.labels));
    }
  }
}

}  // namespace

Kind kind_of(const Model& model, const std::string& path) {
  const kinglet_model_info info = model.info();
  switch (info.task) {
    case KINGLET_TASK_EMBED:
      return Kind::kEmbeddings;
    case KINGLET_TASK_TAG:
      return Kind::kTags;
    case KINGLET_TASK_ANSWER:
      return Kind::kAnswers;
    case KINGLET_TASK_CLASSIFY:
      if (info.label_count > 1 && info.scoring != KINGLET_SCORING_SOFTMAX) {
        refuse(path, ": the model gives each text several labels or numbers; expected one label per text");
      }
      return info.label_count == 1 ? Kind::kNumbers : Kind::kLabels;
    default:
      refuse(path, ": the model neither embeds, classifies, tags nor answers; expected one that does");
  }
}

std::vector<std::string> label_names(const Model& model) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < model.info().label_count; ++i) {
    const std::string name(model.label(i));
    names.push_back(name.empty() ? "LABEL_" + std::to_string(i) : name);
  }
  return names;
}

size_t Data::size() const {
  return kind == Kind::kTags      ? sentences.size()
         : kind == Kind::kAnswers ? questions.questions.size()
                                  : table.examples.size();
}

const char* Data::unit() const {
  return kind == Kind::kTags ? "sentences" : kind == Kind::kAnswers ? "questions" : table.has_pair ? "pairs" : "texts";
}

size_t Data::line(size_t i) const {
  return kind == Kind::kTags ? sentences[i].line : kind == Kind::kAnswers ? 0 : table.examples[i].line;
}

std::string Data::where(size_t i) const {
  return kind == Kind::kAnswers ? path + ": question " + questions.questions[i].id
                                : path + ":" + std::to_string(line(i));
}

std::string Data::text(size_t i) const {
  if (kind == Kind::kTags) {
    std::string text;
    for (const std::string& word : sentences[i].words) {
      text += (text.empty() ? "" : " ") + word;
    }
    return text;
  }
  if (kind == Kind::kAnswers) {
    return questions.questions[i].question;
  }
  const Example& example = table.examples[i];
  return table.has_pair ? example.text + " | " + example.pair : example.text;
}

std::string Data::correct(size_t i) const {
  if (!has_truth) {
    return "";
  }
  switch (kind) {
    case Kind::kLabels:
      return labels[truth[i]];
    case Kind::kTags: {
      std::string tags;
      for (const std::string& tag : sentences[i].tags) {
        tags += (tags.empty() ? "" : " ") + tag;
      }
      return tags;
    }
    case Kind::kAnswers: {
      const std::vector<std::string>& answers = questions.questions[i].answers;
      return answers.empty() ? "" : answers[0];
    }
    default: {
      char text[32];
      std::snprintf(text, sizeof(text), "%g", table.examples[i].score);
      return text;
    }
  }
}

Data read_data(const std::filesystem::path& path, const Model& model, const std::string& model_path, Truth truth) {
  Data data;
  data.path = path.string();
  data.kind = kind_of(model, model_path);
  data.labels = label_names(model);
  data.has_truth = true;
  if (data.kind == Kind::kTags) {
    data.sentences = read_conll(path);
    check_types(data.path, data.sentences, data.labels);
  } else if (data.kind == Kind::kAnswers) {
    data.questions = read_squad(path);
  } else {
    read_table(data, truth == Truth::kOptional);
  }
  return data;
}

const std::vector<std::string>& metrics_of(Kind kind) {
  static const std::vector<std::string> labels = {"accuracy", "f1", "f1_macro", "f1_micro", "matthews"};
  static const std::vector<std::string> numbers = {"spearman", "pearson"};
  static const std::vector<std::string> tags = {"f1", "accuracy"};
  static const std::vector<std::string> answers = {"f1", "exact_match"};
  return kind == Kind::kLabels ? labels : kind == Kind::kTags ? tags : kind == Kind::kAnswers ? answers : numbers;
}

Scorer::Scorer(const Data& data, const Predictions& predictions) : data_(data), predictions_(predictions) {
  all_.resize(data.size());
  std::iota(all_.begin(), all_.end(), 0u);
  if (data.kind == Kind::kTags) {
    for (size_t i = 0; i < data.size(); ++i) {
      const std::vector<std::string>& truth = data.sentences[i].tags;
      const std::vector<std::string>& tags = predictions.tags[i];
      entities_.emplace_back().add(find_entities(truth), find_entities(tags));
      words_.push_back(tags.size());
      size_t right = 0;
      for (size_t word = 0; word < tags.size(); ++word) {
        right += tags[word] == truth[word] ? 1 : 0;
      }
      right_words_.push_back(right);
    }
  } else if (data.kind == Kind::kAnswers) {
    for (size_t i = 0; i < data.size(); ++i) {
      exact_.push_back(exact_match(data.questions.questions[i], predictions.answers[i]));
      overlap_.push_back(word_f1(data.questions.questions[i], predictions.answers[i]));
    }
  }
}

std::optional<double> Scorer::value(const std::string& metric) const {
  return value(metric, all_);
}

std::optional<double> Scorer::value(const std::string& metric, const std::vector<uint32_t>& sample) const {
  if (!data_.has_truth) {
    refuse(data_.path, ": has no labels or scores to measure ", metric, " on");
  }
  const auto known = metrics_of(data_.kind);
  const bool extra = data_.kind == Kind::kTags && (metric == "precision" || metric == "recall");
  if (!extra && std::find(known.begin(), known.end(), metric) == known.end()) {
    refuse("the metric ", quote(metric), " does not suit this model, expected one of ", convert::list_text(known));
  }
  switch (data_.kind) {
    case Kind::kLabels: {
      std::vector<uint32_t> truth, predicted;
      for (const uint32_t i : sample) {
        truth.push_back(data_.truth[i]);
        predicted.push_back(predictions_.labels[i]);
      }
      const auto count = static_cast<uint32_t>(data_.labels.size());
      return metric == "accuracy"   ? accuracy(truth, predicted)
             : metric == "f1"       ? f1(truth, predicted, count)
             : metric == "f1_macro" ? f1_macro(truth, predicted, count)
             : metric == "f1_micro" ? f1_micro(truth, predicted)
                                    : matthews(truth, predicted, count);
    }
    case Kind::kNumbers:
    case Kind::kEmbeddings: {
      std::vector<double> truth, predicted;
      for (const uint32_t i : sample) {
        truth.push_back(data_.table.examples[i].score);
        predicted.push_back(predictions_.numbers[i]);
      }
      return metric == "pearson" ? pearson(predicted, truth) : spearman(predicted, truth);
    }
    case Kind::kTags: {
      EntityCounts counts;
      size_t words = 0, right = 0;
      for (const uint32_t i : sample) {
        counts.truth += entities_[i].truth;
        counts.predicted += entities_[i].predicted;
        counts.both += entities_[i].both;
        words += words_[i];
        right += right_words_[i];
      }
      return metric == "f1"          ? counts.f1()
             : metric == "precision" ? counts.precision()
             : metric == "recall"    ? counts.recall()
                                     : static_cast<double>(right) / static_cast<double>(words);
    }
    case Kind::kAnswers:
      break;
  }
  const std::vector<double>& scores = metric == "f1" ? overlap_ : exact_;
  double sum = 0;
  for (const uint32_t i : sample) {
    sum += scores[i];
  }
  return sum / static_cast<double>(sample.size());
}

size_t Scorer::right() const {
  return data_.kind == Kind::kLabels && data_.has_truth ? count_equal(data_.truth, predictions_.labels) : 0;
}

}  // namespace kinglet::eval
