// Evaluation as functions: an open model and a data file give the answer to every example, and those the metrics that
// suit. bootstrap.h says how sure a metric is, agreement.h how far two models agree.
//
//   Data data = read_data("dev.tsv", model);
//   Predictions answers = predict(model, data);
//   std::optional<double> accuracy = Scorer(data, answers).value("accuracy");
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/conll.h"
#include "eval/data.h"
#include "eval/squad.h"
#include "kinglet.hpp"

namespace kinglet::eval {

// What a model is measured on.
enum class Kind {
  kLabels,      // a classifier: one label per text
  kNumbers,     // a classifier with one output: numbers
  kEmbeddings,  // an embedding model: cosines of pairs
  kTags,        // a tagger: entities
  kAnswers,     // question answering: spans
};

// Throws convert::Error that begins with `path` when the model is of no such kind.
Kind kind_of(const Model& model, const std::string& path);

// The names of a model's labels, LABEL_n where the file gives none.
std::vector<std::string> label_names(const Model& model);

// A data file, read and checked for models of one kind.
struct Data {
  std::string path;
  Kind kind = Kind::kLabels;
  bool has_truth = false;           // false: the file says nothing that a metric could be computed from
  DataSet table;                    // kLabels, kNumbers, kEmbeddings
  std::vector<std::string> labels;  // of the model that the data was read for
  std::vector<uint32_t> truth;      // kLabels: indices in `labels`
  std::vector<Sentence> sentences;  // kTags
  QuestionSet questions;            // kAnswers

  size_t size() const;
  const char* unit() const;             // "texts", "pairs", "sentences", "questions"
  size_t line(size_t i) const;          // of the file, from 1; 0 for questions
  std::string where(size_t i) const;    // "FILE:LINE", or "FILE: question ID"
  std::string text(size_t i) const;     // for a person; two texts with " | " between them
  std::string correct(size_t i) const;  // likewise; "" without truth
};

enum class Truth { kNeeded, kOptional };

// TSV, CoNLL or SQuAD JSON, as the model's kind wants it. Without the columns that the metrics need it throws, unless
// the truth is optional; then a TSV file needs only texts. Throws convert::Error "FILE:LINE: what was wrong; expected
// …", also for a label or a tag that the model does not know.
Data read_data(const std::filesystem::path& path, const Model& model, const std::string& model_path,
               Truth truth = Truth::kNeeded);

struct PredictOptions {
  uint32_t threads = 1;
  uint32_t batch = 8;         // never changes a result
  uint32_t max_length = 0;    // 0: the model's limit
  std::string prompt;         // of embedding models; "": none
  bool keep_outputs = false;  // fills Predictions::outputs
  std::function<void(double fraction)> progress;
};

// The answers to all examples, in order.
struct Predictions {
  std::vector<uint32_t> labels;                // kLabels: indices in Data::labels
  std::vector<double> numbers;                 // kNumbers; kEmbeddings: cosines of pairs
  std::vector<std::vector<std::string>> tags;  // kTags: one per word; a word that was cut is O
  std::vector<std::string> answers;            // kAnswers; "": there is none
  std::vector<Span> spans;                     // kAnswers: the bytes of the context
  // With keep_outputs: the logits of every text (kLabels, kNumbers; in the model's order), or its embedding, those of a
  // pair following each other.
  std::vector<float> outputs;
  size_t width = 0;      // of a row of `outputs`
  size_t truncated = 0;  // texts that were cut
};

// Throws convert::Error for an example that cannot be computed or gives no finite number, and for a model of another
// kind than the data was read for, or with other labels (their order may differ).
Predictions predict(const Model& model, const std::string& model_path, const Data& data,
                    const PredictOptions& options = {});

// The metrics that suit a kind, the usual one first.
const std::vector<std::string>& metrics_of(Kind kind);

// Metrics from answers. Both arguments must outlive it.
class Scorer {
 public:
  Scorer(const Data& data, const Predictions& predictions);

  size_t size() const { return data_.size(); }
  // A fraction or a correlation; nothing where it is undefined. `metric` is one of metrics_of, or "precision" or
  // "recall" of entities. Throws convert::Error for any other, and when the data has no truth.
  std::optional<double> value(const std::string& metric) const;
  // The same of the examples `sample`, indices that may repeat.
  std::optional<double> value(const std::string& metric, const std::vector<uint32_t>& sample) const;
  // How many labels are right; 0 for other kinds.
  size_t right() const;

 private:
  const Data& data_;
  const Predictions& predictions_;
  std::vector<uint32_t> all_;           // 0, 1, …
  std::vector<EntityCounts> entities_;  // kTags, by sentence
  std::vector<size_t> words_, right_words_;
  std::vector<double> exact_, overlap_;  // kAnswers, by question
};

}  // namespace kinglet::eval
