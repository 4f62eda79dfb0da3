// kinglet prune: a checkpoint folder to a smaller one.
#include "prune/prune.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "prune/prune_report.h"
#include "prune/vocabulary.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::cli {

namespace {

class PruneCommand : public Command {
 public:
  const char* name() const override { return "prune"; }
  const char* summary() const override { return "Make a checkpoint smaller without training"; }
  const char* arguments() const override { return "SRC (--target SHARE --data F | --vocabulary F) -o OUTDIR"; }
  const char* manual() const override {
    return "Reads a Hugging Face or sentence-transformers folder and writes a smaller one, which `kinglet\n"
           "convert` reads. OUTDIR appears whole or not at all. One that is there is replaced when it is empty or holds\n"
           "nothing but what kinglet wrote.\n"
           "\n"
           "--target SHARE makes the model faster: whole attention heads and feed-forward neurons, 16 at a time, go\n"
           "until SHARE of the encoder's operations is left (--budget latency: of the time that this machine takes).\n"
           "What goes, and how the rest takes over its work, is found on the texts of --data: a TSV with a header\n"
           "line, CoNLL, SQuAD JSON or one text a line, like those that the model is for. Labels are not looked at,\n"
           "and nothing is trained. --dev F, a data file as for `kinglet eval`, measures the model before and after,\n"
           "in fp32 and int8; --curve does so for the targets 0.8, 0.65, 0.5, 0.35 and 0.2 as well. BERT, CamemBERT,\n"
           "DistilBERT, ELECTRA, MPNet, RoBERTa and XLM-RoBERTa can be pruned. Heads that are gone stand in the\n"
           "config's pruned_heads; where layers differ in width, kinglet_intermediate_sizes has a number for each,\n"
           "which transformers does not know.\n"
           "\n"
           "--vocabulary F drops the tokens that the texts of F do not have, or, with --min-count N, have fewer than\n"
           "N times, and their rows of the embeddings. A text whose tokens all stay becomes the same tokens as\n"
           "before; others become smaller pieces, down to single characters or bytes, and never an unknown token that was\n"
           "not there before. transformers reads the result.\n"
           "\n"
           "Examples:\n"
           "  kinglet prune minilm-sst2 --target 0.5 --data train.tsv --dev dev.tsv -o half\n"
           "  kinglet prune minilm-agnews --vocabulary train.tsv --min-count 5 -o smaller";
  }

  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", output_, "The folder to write")->type_name("OUTDIR");
    app.add_option("--target", target_, "The share of the encoder's work that is left, between 0 and 1")
        ->type_name("SHARE");
    app.add_option("--data", data_, "Texts to prune on")->type_name("F");
    app.add_option("--dev", dev_, "Measure before and after on this data file")->type_name("F");
    app.add_flag("--curve", curve_, "Measure other targets, too");
    app.add_option("--report", report_, "Write a page about it, one HTML file")->type_name("R.html");
    app.add_option("--budget", budget_, "What work is: operations (default) or latency")
        ->type_name("KIND")
        ->check(CLI::IsMember({"operations", "latency"}));
    app.add_option("--task", task_, "What the model is for: embed, classify, tag, answer or fill-mask")
        ->type_name("T")
        ->check(CLI::IsMember({"embed", "classify", "tag", "answer", "fill-mask"}));
    add_number(app, "--texts", &texts_, 1u << 20, "Draw up to N texts from the data (default 2000)");
    add_number(app, "--seed", &seed_, UINT32_MAX, "Of what is drawn (default 1)");
    add_number(app, "--threads", &threads_, 1024, "Compute with N threads (default 2); never changes a result");
    app.add_option("--vocabulary", vocabulary_, "Keep the tokens that these texts have")->type_name("F");
    add_number(app, "--min-count", &min_count_, 1000000, "Drop tokens seen fewer times than this (default 1)");
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    if (output_.empty()) {
      throw UsageError("no output folder; expected -o OUTDIR");
    }
    if (vocabulary_.empty() == !target_.has_value()) {
      throw UsageError(target_ ? "both --target and --vocabulary; expected one, and the other on the result"
                               : "nothing to prune; expected --target SHARE or --vocabulary F");
    }
    if (!target_) {
      const std::pair<bool, const char*> others[] = {{!data_.empty(), "--data"},     {!dev_.empty(), "--dev"},
                                                     {curve_, "--curve"},            {!report_.empty(), "--report"},
                                                     {budget_ != "operations", "--budget"}};
      for (const auto& [given, option] : others) {
        if (given) {
          throw UsageError(std::string(option) + " goes with --target, not with --vocabulary");
        }
      }
    }
    return target_ ? prune_structure(arguments[0]) : prune_vocabulary(arguments[0]);
  }

 private:
  int prune_structure(const std::string& source) {
    if (!(*target_ > 0 && *target_ < 1)) {
      throw UsageError(format("--target: %g is not a share; expected a number above 0 and below 1", *target_));
    }
    if (data_.empty()) {
      throw UsageError("no texts to prune on; expected --data F");
    }
    if (curve_ && dev_.empty()) {
      throw UsageError("--curve needs data to measure on; expected --dev F");
    }
    convert::PruneOptions options;
    options.source = source;
    options.output = output_;
    options.data = data_;
    options.dev = dev_;
    options.target = *target_;
    options.latency = budget_ == "latency";
    options.curve = curve_;
    options.texts = texts_;
    options.seed = seed_;
    options.threads = threads_;
    options.task = task_;
    convert::PruneResult result;
    {
      Progress progress;
      options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
      result = report_.empty() ? convert::prune(options)
                               : convert::prune_with_report(options, {report_, command_line(), threads_});
    }
    show(result);
    return kExitGood;
  }

  void show(const convert::PruneResult& result) {
    std::string out = shorten(output_, SIZE_MAX) + format(": %.1f %% of the encoder's operations, ",
                                                          100 * result.operations) +
                      group_digits(result.parameters_after) + " of its " + group_digits(result.parameters_before) +
                      " parameters (" + group_digits(result.texts) + " texts, " + group_digits(result.tokens) +
                      " tokens)\n";
    for (const convert::PrunedLayer& layer : result.layers) {
      out += "  " + layer.name + format(": %zu of %zu heads, %u of %u neurons\n",
                                        static_cast<size_t>(std::count(layer.heads.begin(), layer.heads.end(), true)),
                                        layer.heads.size(), layer.neurons_kept, layer.neurons);
    }
    for (const convert::Measurement& measured : result.measurements) {
      out += "  " + measured.pass + ": " + measured.metric +
             format(" %.4f (95 %%: %.2f to %.2f)\n", measured.value, measured.low, measured.high);
    }
    for (const convert::Latency& latency : result.latencies) {
      out += "  " + latency.shape + format(", int8: %.3f ms, was %.3f ms (%.2f times as fast)\n", latency.after_ms,
                                           latency.before_ms, latency.before_ms / latency.after_ms);
    }
    for (const convert::CurvePoint& point : curve_ ? result.curve : std::vector<convert::CurvePoint>()) {
      out += format("  target %.2f: %.1f %% of the operations, int8 %.4f, %.2f times as fast\n", point.target,
                    100 * point.operations, point.accuracy, point.speed);
    }
    output().write(out);
    output().flush();
  }

  int prune_vocabulary(const std::string& source) {
    convert::CheckpointFolder folder = convert::read_checkpoint_folder(source);
    convert::check_checkpoint_folder(folder, output_);
    convert::VocabularyResult result;
    {
      Progress progress;
      convert::VocabularyOptions options;
      options.texts = vocabulary_;
      options.min_count = min_count_;
      options.progress = [&](double fraction) { progress.show("counting tokens", fraction / 2); };
      result = convert::prune_vocabulary(folder, options);
      convert::write_checkpoint_folder(folder, output_, [&](double fraction) {
        progress.show("writing", 0.5 + fraction / 2);
      });
    }
    output().write(shorten(output_, SIZE_MAX) + ": " + group_digits(result.after) + " of " +
                   group_digits(result.before) + " tokens (" + group_digits(result.seen) + " seen in " +
                   group_digits(result.texts) + " texts)\n");
    output().flush();
    return kExitGood;
  }

  std::string output_, vocabulary_, data_, dev_, report_, budget_ = "operations";
  std::optional<double> target_;
  std::optional<std::string> task_;
  bool curve_ = false;
  uint32_t texts_ = 2000, seed_ = 1, threads_ = 2, min_count_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_prune_command() { return std::make_unique<PruneCommand>(); }

}  // namespace kinglet::cli
