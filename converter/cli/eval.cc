// kinglet eval: how well a model does on a data file, how sure that is, and how far it agrees with another model.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/task.h"
#include "cli/text.h"
#include "eval/agreement.h"
#include "eval/bootstrap.h"
#include "eval/evaluate.h"
#include "eval/metrics.h"

namespace kinglet::cli {

namespace {

constexpr uint32_t kDefaultBatch = 8;
constexpr uint32_t kDefaultDifferences = 10;
constexpr uint32_t kMostResamples = 1'000'000;

class EvalCommand : public Command {
 public:
  const char* name() const override { return "eval"; }
  const char* summary() const override { return "Measure a model on a data file"; }
  const char* arguments() const override { return "M.kgl DATA"; }
  const char* manual() const override {
    return "For classifiers and embedding models DATA is TSV: a header line names the columns label or score, and "
           "text,\n"
           "or sentence1 and sentence2. A label is a name or an index. Fields are between TABs, quotes mean nothing. "
           "For\n"
           "taggers it is CoNLL: a word and its tag a line, an empty line after each sentence. For question answering "
           "it\n"
           "is SQuAD JSON.\n"
           "\n"
           "A classifier is measured on label: accuracy (the default), f1 (two labels: of the second; more: as\n"
           "f1_macro), f1_macro, f1_micro or matthews; one with a single output on score: spearman (the default) or\n"
           "pearson. An embedding model is measured on pairs and score: spearman (the default) or pearson of the\n"
           "cosines. A tagger is measured by f1 of its entities (the default), words having the label of their first\n"
           "token, or by accuracy of the words' tags. Question answering is measured by f1 of the answers' words (the\n"
           "default) or exact_match, as the data set's own script counts them. --metric all gives all that suit.\n"
           "\n"
           "--bootstrap N adds the 95 % interval of the metric: examples are drawn with replacement N times (1000 is\n"
           "usual), with a fixed seed, and the interval holds the middle 95 % of the N values.\n"
           "--confusion adds how often each label was taken for each other.\n"
           "--against adds how far OTHER.kgl agrees with the model, whatever is true: the share of equal labels, of\n"
           "equal tags of words or of equal answers; of embeddings the mean and the least cosine, and of numbers the\n"
           "differences. Examples with another answer are listed, up to --differences. With --against, DATA may be\n"
           "texts alone.\n"
           "\n"
           "Output: the metric times 100 and what it was counted on. With --json one object:\n"
           "  {\"metric\":\"accuracy\",\"value\":90.2522936,\"count\":872,\"right\":787,\"truncated\":0}\n"
           "value is times 100, too; right is there for metrics of labels; truncated counts the texts that were cut.\n"
           "Taggers add precision and recall. The options add\n"
           "  \"metrics\":{\"accuracy\":90.2522936,…},\n"
           "  \"interval\":{\"low\":…,\"high\":…,\"level\":95,\"resamples\":1000,\"seed\":1},\n"
           "  \"confusion\":{\"labels\":[…],\"rows\":[[…],…]}   (a row per true label),\n"
           "  \"agreement\":{\"model\":…,\"value\":…,\"count\":872,\"equal\":865,\"share\":99.1972477,\n"
           "               \"differing\":7,\"differences\":[{\"line\":12,\"answer\":…,\"other\":…},…]}\n"
           "where embeddings have mean_cosine, least_cosine and least_line, and numbers mean_difference and\n"
           "largest_difference; for questions line is their id. A metric that is undefined is null. With --bootstrap\n"
           "agreement has \"change\":{\"low\":…,\"high\":…}, the interval of the other's value less the model's, both\n"
           "scored on the same draws.\n"
           "A text that cannot be computed is an error that names its line.\n"
           "\n"
           "Examples:\n"
           "  kinglet eval minilm.kgl stsb/test.tsv\n"
           "  kinglet eval sst2.kgl sst2/dev.tsv --metric matthews --threads 2\n"
           "  kinglet eval sst2.kgl sst2/dev.tsv --bootstrap 1000 --confusion --against sst2-fp32.kgl\n"
           "  kinglet eval ner.kgl wnut17/test.conll";
  }

  void add_options(CLI::App& app) override {
    app.add_option("--metric", metric_, "accuracy, f1, spearman, …: one of those above that suits the model, or all")
        ->type_name("NAME")
        ->check(CLI::IsMember(
            {"accuracy", "f1", "f1_macro", "f1_micro", "matthews", "spearman", "pearson", "exact_match", "all"}));
    add_number(app, "--bootstrap", &resamples_, kMostResamples,
               "Add the 95 % interval of the metric, from N resamples");
    app.add_flag("--confusion", confusion_, "Add how often each label was taken for each other");
    app.add_option("--against", against_, "Add how far this model agrees")->type_name("OTHER.kgl");
    add_number(app, "--differences", &most_differences_, 1u << 30,
               "List up to N examples that OTHER answers differently (default 10)");
    app.add_flag("--json", json_, "Print a JSON object");
    add_number(app, "--max-length", &max_length_, 1u << 30,
               "Cut texts to N tokens, special tokens included (default and most: the model's limit)");
    add_number(app, "--threads", &threads_, 1024, "Compute with N threads (default 1)");
    add_number(app, "--batch", &batch_, 65536, "Compute up to N texts together (default 8); never changes a result");
    app.add_option("--prompt", prompt_, "Put the model's prompt of this name before every text (embedding models)")
        ->type_name("NAME");
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 2, 2);
    if (most_differences_ != 0 && !against_) {
      throw UsageError("--differences goes with --against OTHER.kgl");
    }
    const std::string& path = arguments[0];
    const Model model = open_model(path);
    check_max_length(model, max_length_);
    const eval::Kind kind = eval::kind_of(model, path);
    if (prompt_) {
      if (kind != eval::Kind::kEmbeddings) {
        throw UsageError("--prompt is for embedding models; this is another");
      }
      check_prompt(model, *prompt_);
    }
    if (confusion_ && kind != eval::Kind::kLabels) {
      throw UsageError("--confusion is for models that give a text one label; this is another");
    }
    metrics_ = choose_metrics(kind);
    const eval::Data data =
        eval::read_data(arguments[1], model, path, against_ ? eval::Truth::kOptional : eval::Truth::kNeeded);
    if (!data.has_truth && (metric_ || resamples_ > 0 || confusion_)) {
      throw InputError(data.path + ":1: no labels or scores to measure on; expected a column of them, or --against " +
                       "alone");
    }
    std::optional<Model> other;
    if (against_) {
      other.emplace(open_model(*against_));
    }
    const eval::Predictions predictions = predict(model, path, data, "evaluating");
    const eval::Scorer scorer(data, predictions);
    measure(scorer, data);
    if (other) {
      other_predictions_ = predict(*other, *against_, data, "evaluating the other model");
      agreement_ = eval::agree(data, predictions, *other_predictions_);
      if (resamples_ > 0) {
        change_ = eval::bootstrap_change(scorer, eval::Scorer(data, *other_predictions_), metrics_[0], resamples_);
      }
    }
    output().write(json_ ? json(data, predictions, scorer) : table(data, predictions, scorer));
    output().flush();
    return kExitGood;
  }

 private:
  // The metric asked for, or the usual one first of all of them.
  std::vector<std::string> choose_metrics(eval::Kind kind) const {
    const std::vector<std::string>& suitable = eval::metrics_of(kind);
    if (metric_ == "all") {
      return suitable;
    }
    if (!metric_) {
      return {suitable[0]};
    }
    std::string list;
    for (const std::string& name : suitable) {
      if (name == *metric_) {
        return {name};
      }
      list += (list.empty() ? "" : ", ") + name;
    }
    throw UsageError("--metric: " + *metric_ + " does not suit this model; expected one of " + list);
  }

  eval::Predictions predict(const Model& model, const std::string& path, const eval::Data& data, const char* what) {
    Progress progress;
    eval::PredictOptions options;
    options.threads = threads_;
    options.batch = batch_;
    options.max_length = max_length_;
    options.prompt = prompt_.value_or("");
    options.keep_outputs = against_ && data.kind == eval::Kind::kEmbeddings;
    options.progress = [&](double fraction) { progress.show(what, fraction); };
    return eval::predict(model, path, data, options);
  }

  void measure(const eval::Scorer& scorer, const eval::Data& data) {
    if (!data.has_truth) {
      return;
    }
    for (const std::string& metric : metrics_) {
      values_.push_back(scorer.value(metric));
      if (!values_.back() && metric_ != "all") {
        throw InputError(data.path + ": " + metric +
                         " is undefined; expected two examples at least, not all with the same score or prediction");
      }
      intervals_.push_back(resamples_ == 0 ? std::nullopt : eval::bootstrap(scorer, metric, resamples_));
    }
  }

  std::string table(const eval::Data& data, const eval::Predictions& predictions, const eval::Scorer& scorer) const {
    const bool tags = data.kind == eval::Kind::kTags;
    std::string out;
    for (size_t i = 0; i < values_.size(); ++i) {
      out += metrics_[i] + (values_[i] ? format(" %.4f (", *values_[i] * 100) : " undefined (") +
             (data.kind == eval::Kind::kLabels ? format("%zu of %zu", scorer.right(), data.size())
                                               : format("%zu %s", data.size(), data.unit())) +
             (tags && metrics_[i] == "f1" ? format("; precision %.4f, recall %.4f", *scorer.value("precision") * 100,
                                                   *scorer.value("recall") * 100)
                                          : "") +
             (predictions.truncated > 0 ? format("; %zu texts cut", predictions.truncated) : "") + ")\n";
      if (intervals_[i]) {
        out += format("  95 %% interval %.4f to %.4f (%u resamples, seed %u)\n", intervals_[i]->low * 100,
                      intervals_[i]->high * 100, intervals_[i]->resamples, eval::kBootstrapSeed);
      }
    }
    if (confusion_) {
      out += confusion_table(data, predictions);
    }
    if (agreement_) {
      out += agreement_text(data);
    }
    return out;
  }

  static std::string confusion_table(const eval::Data& data, const eval::Predictions& predictions) {
    const auto rows = eval::confusion(data.truth, predictions.labels, static_cast<uint32_t>(data.labels.size()));
    std::vector<std::string> names;
    size_t widest = 0;
    for (const std::string& label : data.labels) {
      names.push_back(shorten(label, 24));
      widest = std::max(widest, width_of(names.back()));
    }
    const size_t column = std::max(widest, std::to_string(data.size()).size()) + 2;
    const auto pad = [](size_t width, size_t used) { return std::string(width > used ? width - used : 0, ' '); };
    std::string out = "\ntrue \\ answered" + pad(widest + 2, 15);
    const size_t first = std::max<size_t>(widest + 2, 15);
    for (const std::string& name : names) {
      out += pad(column, width_of(name)) + name;
    }
    out += '\n';
    for (size_t i = 0; i < names.size(); ++i) {
      out += names[i] + pad(first, width_of(names[i]));
      for (const size_t count : rows[i]) {
        const std::string number = std::to_string(count);
        out += pad(column, number.size()) + number;
      }
      out += '\n';
    }
    return out;
  }

  // In characters.
  static size_t width_of(const std::string& text) {
    return static_cast<size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
  }

  std::string agreement_text(const eval::Data& data) const {
    const eval::Agreement& agreement = *agreement_;
    const std::string name = shorten(*against_, SIZE_MAX);
    std::string out = values_.empty() ? "" : "\n";
    out += "against " + name + ": ";
    if (other_value(data)) {
      out +=
          metrics_[0] + format(" %.4f there", *other_value(data) * 100) +
          (change_ ? format(" (there − here: 95 %% interval %+.4f to %+.4f)", change_->low * 100, change_->high * 100)
                   : std::string()) +
          "; ";
    }
    if (data.kind == eval::Kind::kEmbeddings) {
      out += format("cosine %.6f on average, %.6f at least (%s), of %zu texts\n", agreement.mean_cosine,
                    agreement.least_cosine, data.where(agreement.least_example).c_str(), agreement.count);
    } else if (data.kind == eval::Kind::kNumbers) {
      out += format("numbers differ by %.6f on average, %.6f at most\n", agreement.mean_difference,
                    agreement.largest_difference);
    } else {
      const char* what = data.kind == eval::Kind::kLabels ? "labels"
                         : data.kind == eval::Kind::kTags ? "tags"
                                                          : "answers";
      out += format("%.4f %% equal %s (%zu of %zu)\n", agreement.share * 100, what, agreement.equal, agreement.count);
    }
    const size_t shown = std::min<size_t>(agreement.differences.size(), listed());
    for (size_t i = 0; i < shown; ++i) {
      const eval::Difference& difference = agreement.differences[i];
      out += "  " +
             (data.kind == eval::Kind::kAnswers
                  ? "question " + shorten(data.questions.questions[difference.example].id, 40)
                  : format("line %zu", data.line(difference.example))) +
             ": " + shorten(difference.first, 60) + ", there " + shorten(difference.second, 60) + ": " +
             shorten(data.text(difference.example), 60) + "\n";
    }
    if (shown < agreement.differences.size()) {
      out += format("  … and %zu more\n", agreement.differences.size() - shown);
    }
    return out;
  }

  std::string json(const eval::Data& data, const eval::Predictions& predictions, const eval::Scorer& scorer) const {
    const auto percent = [](const std::optional<double>& value) {
      return value ? format("%.9g", *value * 100) : std::string("null");
    };
    std::string out = "{\"metric\":" + (values_.empty() ? "null" : '"' + metrics_[0] + '"') +
                      ",\"value\":" + (values_.empty() ? "null" : percent(values_[0])) +
                      format(",\"count\":%zu", data.size());
    if (data.kind == eval::Kind::kLabels && data.has_truth) {
      out += format(",\"right\":%zu", scorer.right());
    } else if (data.kind == eval::Kind::kTags) {
      out += ",\"precision\":" + percent(scorer.value("precision")) + ",\"recall\":" + percent(scorer.value("recall"));
    }
    out += format(",\"truncated\":%zu", predictions.truncated);
    if (metric_ == "all") {
      for (size_t i = 0; i < values_.size(); ++i) {
        out += (i == 0 ? ",\"metrics\":{\"" : ",\"") + metrics_[i] + "\":" + percent(values_[i]);
      }
      out += '}';
    }
    if (!intervals_.empty() && intervals_[0]) {
      out += ",\"interval\":{\"low\":" + percent(intervals_[0]->low) + ",\"high\":" + percent(intervals_[0]->high) +
             format(",\"level\":95,\"resamples\":%u,\"seed\":%u}", intervals_[0]->resamples, eval::kBootstrapSeed);
    }
    if (confusion_) {
      out += confusion_json(data, predictions);
    }
    if (agreement_) {
      out += agreement_json(data);
    }
    return out + "}\n";
  }

  static std::string confusion_json(const eval::Data& data, const eval::Predictions& predictions) {
    std::string out = ",\"confusion\":{\"labels\":[";
    for (size_t i = 0; i < data.labels.size(); ++i) {
      out += i == 0 ? "" : ",";
      append_json(out, data.labels[i]);
    }
    out += "],\"rows\":[";
    const auto rows = eval::confusion(data.truth, predictions.labels, static_cast<uint32_t>(data.labels.size()));
    for (size_t i = 0; i < rows.size(); ++i) {
      for (size_t j = 0; j < rows[i].size(); ++j) {
        out += (j > 0 ? "," : i == 0 ? "[" : ",[") + std::to_string(rows[i][j]);
      }
      out += ']';
    }
    return out + "]}";
  }

  std::string agreement_json(const eval::Data& data) const {
    const eval::Agreement& agreement = *agreement_;
    std::string out = ",\"agreement\":{\"model\":";
    append_json(out, *against_);
    if (data.has_truth) {
      const std::optional<double> value = other_value(data);
      out += ",\"value\":" + (value ? format("%.9g", *value * 100) : "null");
      if (change_) {
        out += format(",\"change\":{\"low\":%.9g,\"high\":%.9g}", change_->low * 100, change_->high * 100);
      }
    }
    out += format(",\"count\":%zu", agreement.count);
    if (data.kind == eval::Kind::kEmbeddings) {
      out += format(",\"mean_cosine\":%.9g,\"least_cosine\":%.9g,\"least_line\":%zu", agreement.mean_cosine,
                    agreement.least_cosine, data.table.examples[agreement.least_example].line);
    }
    if (data.kind == eval::Kind::kNumbers || (data.kind == eval::Kind::kEmbeddings && data.table.has_pair)) {
      out += format(",\"mean_difference\":%.9g,\"largest_difference\":%.9g", agreement.mean_difference,
                    agreement.largest_difference);
    } else if (data.kind != eval::Kind::kEmbeddings) {
      out += format(",\"equal\":%zu,\"share\":%.9g", agreement.equal, agreement.share * 100);
    }
    out += format(",\"differing\":%zu,\"differences\":[", agreement.differences.size());
    const size_t shown = std::min<size_t>(agreement.differences.size(), listed());
    for (size_t i = 0; i < shown; ++i) {
      const eval::Difference& difference = agreement.differences[i];
      out += i == 0 ? "{\"line\":" : ",{\"line\":";
      if (data.kind == eval::Kind::kAnswers) {
        append_json(out, data.questions.questions[difference.example].id);
      } else {
        out += std::to_string(data.line(difference.example));
      }
      out += ",\"answer\":";
      append_json(out, difference.first);
      out += ",\"other\":";
      append_json(out, difference.second);
      out += '}';
    }
    return out + "]}";
  }

  std::optional<double> other_value(const eval::Data& data) const {
    return data.has_truth ? eval::Scorer(data, *other_predictions_).value(metrics_[0]) : std::nullopt;
  }
  uint32_t listed() const { return most_differences_ == 0 ? kDefaultDifferences : most_differences_; }

  std::optional<std::string> metric_, prompt_, against_;
  bool json_ = false, confusion_ = false;
  uint32_t max_length_ = 0;
  uint32_t threads_ = 1;
  uint32_t batch_ = kDefaultBatch;
  uint32_t resamples_ = 0;         // 0: no interval
  uint32_t most_differences_ = 0;  // 0: not given
  std::vector<std::string> metrics_;
  std::vector<std::optional<double>> values_;  // of metrics_; empty: nothing to measure on
  std::vector<std::optional<eval::Interval>> intervals_;
  std::optional<eval::Predictions> other_predictions_;
  std::optional<eval::Interval> change_;  // of the metric, from this model to the other
  std::optional<eval::Agreement> agreement_;
};

}  // namespace

std::unique_ptr<Command> make_eval_command() {
  return std::make_unique<EvalCommand>();
}

}  // namespace kinglet::cli
