// kinglet eval: how well a model does on a data file.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "cli/eval_spans.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/task.h"
#include "cli/text.h"
#include "error.h"
#include "eval/data.h"
#include "eval/metrics.h"

namespace kinglet::cli {

namespace {

constexpr uint32_t kDefaultBatch = 8;

struct Figure {
  double value = 0;     // a fraction or a correlation
  size_t right = 0;     // of labels: how many
  bool counts = false;  // whether `right` means anything
};

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
           "default) or exact_match, as the data set's own script counts them.\n"
           "\n"
           "Output: the metric times 100 and what it was counted on. With --json one object:\n"
           "  {\"metric\":\"accuracy\",\"value\":90.2522936,\"count\":872,\"right\":787,\"truncated\":0}\n"
           "value is times 100, too; right is there for metrics of labels; truncated counts the texts that were cut.\n"
           "Taggers add precision and recall.\n"
           "A text that cannot be computed is an error that names its line.\n"
           "\n"
           "Examples:\n"
           "  kinglet eval minilm.kgl stsb/test.tsv\n"
           "  kinglet eval sst2.kgl sst2/dev.tsv --metric matthews --threads 2\n"
           "  kinglet eval ner.kgl wnut17/test.conll";
  }

  void add_options(CLI::App& app) override {
    app.add_option("--metric", metric_, "accuracy, f1, spearman, …: one of those above that suits the model")
        ->type_name("NAME")
        ->check(CLI::IsMember(
            {"accuracy", "f1", "f1_macro", "f1_micro", "matthews", "spearman", "pearson", "exact_match"}));
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
    const Model model = open_model(arguments[0]);
    check_max_length(model, max_length_);
    const kinglet_model_info info = model.info();
    const bool spans = info.task == KINGLET_TASK_TAG || info.task == KINGLET_TASK_ANSWER;
    if (!spans && info.task != KINGLET_TASK_EMBED && info.task != KINGLET_TASK_CLASSIFY) {
      throw InputError(arguments[0] +
                       ": the model neither embeds, classifies, tags nor answers; expected one that does");
    }
    SessionOptions options;
    options.threads = threads_;
    options.batch = batch_;
    options.max_length = max_length_;
    if (prompt_) {
      if (info.task != KINGLET_TASK_EMBED) {
        throw UsageError("--prompt is for embedding models; this is another");
      }
      check_prompt(model, *prompt_);
      options.prompt = prompt_->c_str();
    }
    if (spans) {
      measure_spans(model, options, arguments);
      return kExitGood;
    }
    const eval::DataSet data = eval::read_tsv(arguments[1]);
    Session session = create_session(model, options, arguments[0]);
    const Figure figure = info.task == KINGLET_TASK_EMBED ? measure_pairs(session, data)
                          : info.label_count == 1         ? measure_numbers(session, data)
                                                          : measure_labels(model, session, data);
    print(figure, data);
    return kExitGood;
  }

 private:
  void measure_spans(const Model& model, SessionOptions options, const std::vector<std::string>& arguments) {
    const bool tags = model.info().task == KINGLET_TASK_TAG;
    chosen_ = choose_metric(tags ? std::vector<std::string>{"f1", "accuracy"}
                                 : std::vector<std::string>{"f1", "exact_match"});
    options.raw_outputs = tags;
    Session session = create_session(model, options, arguments[0]);
    const SpanFigures figures = tags ? measure_tags(model, session, arguments[1], max_length_, batch_)
                                     : measure_answers(session, arguments[1], batch_);
    const double value = chosen_ == "f1" ? figures.f1 : chosen_ == "accuracy" ? figures.accuracy : figures.exact_match;
    std::string out;
    if (json_) {
      out = "{\"metric\":\"" + chosen_ + "\",\"value\":" + format("%.9g", value * 100) +
            format(",\"count\":%zu", figures.count) +
            (tags ? format(",\"precision\":%.9g,\"recall\":%.9g", figures.precision * 100, figures.recall * 100)
                  : std::string()) +
            format(",\"truncated\":%zu}\n", figures.truncated);
    } else {
      out = chosen_ + format(" %.4f (%zu %s", value * 100, figures.count, tags ? "sentences" : "questions") +
            (tags && chosen_ == "f1"
                 ? format("; precision %.4f, recall %.4f", figures.precision * 100, figures.recall * 100)
                 : "") +
            (figures.truncated > 0 ? format("; %zu texts cut", figures.truncated) : "") + ")\n";
    }
    output().write(out);
    output().flush();
  }

  // The metric to use: the one asked for, if it is among `allowed`, or else the first of them.
  std::string choose_metric(const std::vector<std::string>& allowed) {
    if (!metric_) {
      return allowed[0];
    }
    std::string list;
    for (const std::string& name : allowed) {
      if (name == *metric_) {
        return name;
      }
      list += (list.empty() ? "" : ", ") + name;
    }
    throw UsageError("--metric: " + *metric_ + " does not suit this model; expected one of " + list);
  }

  void need_score(const eval::DataSet& data) {
    if (!data.has_score) {
      throw convert::Error(data.path + ":1: no column \"score\"; this model is measured on numbers");
    }
  }

  // Calls compute(inputs, first example, truncated) for one batch of examples after the other.
  template <typename Compute>
  void for_batches(const eval::DataSet& data, size_t inputs_per_example, Compute compute) {
    Progress progress;
    const size_t step = std::max<size_t>(1, batch_ / inputs_per_example);
    std::vector<Input> inputs;
    std::vector<uint8_t> cut;
    for (size_t begin = 0; begin < data.examples.size(); begin += step) {
      const size_t end = std::min(begin + step, data.examples.size());
      inputs.clear();
      for (size_t i = begin; i < end; ++i) {
        const eval::Example& example = data.examples[i];
        if (inputs_per_example == 2) {
          inputs.push_back(text_input(example.text));
          inputs.push_back(text_input(example.pair));
        } else {
          inputs.push_back(data.has_pair ? pair_input(example.text, example.pair) : text_input(example.text));
        }
      }
      cut.assign(inputs.size(), 0);
      if (const Result<void> result = compute(inputs, begin, cut.data()); !result) {
        const std::string lines = end - begin == 1 ? std::to_string(data.examples[begin].line)
                                                   : std::to_string(data.examples[begin].line) + "-" +
                                                         std::to_string(data.examples[end - 1].line);
        throw InputError(data.path + ":" + lines + ": " + result.error().message());
      }
      truncated_ += static_cast<size_t>(std::count(cut.begin(), cut.end(), 1));
      progress.show("evaluating", static_cast<double>(end) / static_cast<double>(data.examples.size()));
    }
  }

  Figure measure_labels(const Model& model, Session& session, const eval::DataSet& data) {
    if (model.info().scoring != KINGLET_SCORING_SOFTMAX) {
      throw InputError("the model gives each text several labels or numbers; expected one label per text");
    }
    chosen_ = choose_metric({"accuracy", "f1", "f1_macro", "f1_micro", "matthews"});
    if (!data.has_label) {
      throw convert::Error(data.path + ":1: no column \"label\"; this model is measured on labels");
    }
    const uint32_t count = model.info().label_count;
    std::vector<std::string> labels;
    for (uint32_t i = 0; i < count; ++i) {
      labels.push_back(label_name(model, i));
    }
    std::vector<uint32_t> truth, predicted;
    for (const eval::Example& example : data.examples) {
      truth.push_back(eval::label_index(data, example, labels));
    }
    std::vector<float> scores, logits;
    for_batches(data, 1, [&](const std::vector<Input>& inputs, size_t, uint8_t* cut) {
      scores.resize(inputs.size() * count);
      logits.resize(inputs.size() * count);
      Result<void> result = session.classify(inputs.data(), inputs.size(), scores.data(), logits.data(), cut);
      if (result) {
        result = check_finite(logits.data(), logits.size());
      }
      for (size_t i = 0; result && i < inputs.size(); ++i) {
        const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * count);
        predicted.push_back(static_cast<uint32_t>(std::max_element(row, row + count) - row));
      }
      return result;
    });
    Figure figure;
    figure.counts = true;
    figure.right = eval::count_equal(truth, predicted);
    figure.value = chosen_ == "accuracy"   ? eval::accuracy(truth, predicted)
                   : chosen_ == "f1"       ? eval::f1(truth, predicted, count)
                   : chosen_ == "f1_macro" ? eval::f1_macro(truth, predicted, count)
                   : chosen_ == "f1_micro" ? eval::f1_micro(truth, predicted)
                                           : eval::matthews(truth, predicted, count);
    return figure;
  }

  Figure measure_numbers(Session& session, const eval::DataSet& data) {
    chosen_ = choose_metric({"spearman", "pearson"});
    need_score(data);
    std::vector<double> predicted;
    std::vector<float> scores, logits;
    for_batches(data, 1, [&](const std::vector<Input>& inputs, size_t, uint8_t* cut) {
      scores.resize(inputs.size());
      logits.resize(inputs.size());
      Result<void> result = session.classify(inputs.data(), inputs.size(), scores.data(), logits.data(), cut);
      if (result) {
        result = check_finite(logits.data(), logits.size());
      }
      predicted.insert(predicted.end(), logits.begin(), logits.end());
      return result;
    });
    return correlate(data, predicted);
  }

  Figure measure_pairs(Session& session, const eval::DataSet& data) {
    chosen_ = choose_metric({"spearman", "pearson"});
    need_score(data);
    if (!data.has_pair) {
      throw convert::Error(data.path +
                           ":1: no columns \"sentence1\" and \"sentence2\"; an embedding model is "
                           "measured on pairs");
    }
    const size_t size = session.info().embedding_size;
    std::vector<double> predicted;
    std::vector<float> embeddings;
    for_batches(data, 2, [&](const std::vector<Input>& inputs, size_t, uint8_t* cut) {
      embeddings.resize(inputs.size() * size);
      Result<void> result = session.embed(inputs.data(), inputs.size(), embeddings.data(), cut);
      if (result) {
        result = check_finite(embeddings.data(), embeddings.size());
      }
      for (size_t i = 0; result && i < inputs.size(); i += 2) {
        predicted.push_back(cosine(&embeddings[i * size], &embeddings[(i + 1) * size], size));
      }
      return result;
    });
    return correlate(data, predicted);
  }

  Figure correlate(const eval::DataSet& data, const std::vector<double>& predicted) {
    std::vector<double> truth;
    for (const eval::Example& example : data.examples) {
      truth.push_back(example.score);
    }
    const std::optional<double> value =
        chosen_ == "pearson" ? eval::pearson(predicted, truth) : eval::spearman(predicted, truth);
    if (!value) {
      throw InputError(data.path + ": " + chosen_ +
                       " is undefined; expected two examples at least, not all with the same score or prediction");
    }
    return {*value, 0, false};
  }

  void print(const Figure& figure, const eval::DataSet& data) {
    const size_t count = data.examples.size();
    std::string out;
    if (json_) {
      out = "{\"metric\":\"" + chosen_ + "\",\"value\":" + format("%.9g", figure.value * 100) +
            format(",\"count\":%zu", count) + (figure.counts ? format(",\"right\":%zu", figure.right) : "") +
            format(",\"truncated\":%zu}\n", truncated_);
    } else {
      out = chosen_ + format(" %.4f (", figure.value * 100) +
            (figure.counts ? format("%zu of %zu", figure.right, count)
                           : format("%zu %s", count, data.has_pair ? "pairs" : "texts")) +
            (truncated_ > 0 ? format("; %zu texts cut", truncated_) : "") + ")\n";
    }
    output().write(out);
    output().flush();
  }

  std::optional<std::string> metric_;
  std::optional<std::string> prompt_;
  bool json_ = false;
  uint32_t max_length_ = 0;
  uint32_t threads_ = 1;
  uint32_t batch_ = kDefaultBatch;
  std::string chosen_;
  size_t truncated_ = 0;
};

}  // namespace

std::unique_ptr<Command> make_eval_command() {
  return std::make_unique<EvalCommand>();
}

}  // namespace kinglet::cli
