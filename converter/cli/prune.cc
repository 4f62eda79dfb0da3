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

namespace kinglet::cli {

namespace {

class PruneCommand : public Command {
 public:
  const char* name() const override { return "prune"; }
  const char* summary() const override { return "Make a checkpoint smaller without training"; }
  const char* arguments() const override {
    return "SRC [--layers K] [--target SHARE] [--data F] [--vocabulary F] -o OUTDIR";
  }
  const char* manual() const override {
    return "Reads a Hugging Face or sentence-transformers folder and writes a smaller one, which `kinglet\n"
           "convert` reads. OUTDIR appears whole or not at all. One that is there is replaced when it is empty or holds\n"
           "nothing but what kinglet wrote. --layers, --target and --vocabulary go together or alone.\n"
           "\n"
           "--target SHARE makes the model faster: whole attention heads and feed-forward neurons, 16 at a time, go\n"
           "until SHARE of the encoder's operations is left (--budget latency: of the time that this machine takes).\n"
           "--layers K keeps K whole layers; the others go one after the other, each time the one that the outputs\n"
           "miss least. With both, SHARE is still of the whole encoder, and the layers that stay lose heads and\n"
           "neurons. What goes, and how the rest takes over its work, is found on the texts of --data: a TSV with a\n"
           "header line, CoNLL, SQuAD JSON or one text a line, like those that the model is for. Labels are not looked\n"
           "at, and nothing is trained. --dev F, a data file as for `kinglet eval`, measures the model before and\n"
           "after, in fp32 and int8; --curve does so for the targets 0.8, 0.65, 0.5, 0.35 and 0.2 as well. BERT,\n"
           "CamemBERT, DistilBERT, ELECTRA, MPNet, RoBERTa and XLM-RoBERTa can be pruned. Heads that are gone stand in\n"
           "the config's pruned_heads; where layers differ in width, kinglet_intermediate_sizes has a number for each,\n"
           "which transformers does not know. What --layers alone writes, transformers reads.\n"
           "\n"
           "--vocabulary F drops the tokens that the texts of F do not have, or, with --min-count N, have fewer than\n"
           "N times, and their rows of the embeddings. A text whose tokens all stay becomes the same tokens as\n"
           "before; others become smaller pieces, down to single characters or bytes, and never an unknown token that was\n"
           "not there before. It goes first: the rest is pruned on the tokens that are left. transformers reads the\n"
           "result.\n"
           "\n"
           "Examples:\n"
           "  kinglet prune minilm-sst2 --target 0.5 --data train.tsv --dev dev.tsv -o half\n"
           "  kinglet prune minilm-sst2 --layers 4 --data train.tsv -o four-layers\n"
           "  kinglet prune minilm-agnews --vocabulary train.tsv --min-count 5 -o smaller";
  }

  void add_options(CLI::App& app) override {
    app_ = &app;
    app.add_option("-o,--output", output_, "The folder to write")->type_name("OUTDIR");
    app.add_option("--target", target_, "The share of the encoder's work that is left, between 0 and 1")
        ->type_name("SHARE");
    add_number(app, "--layers", &layers_, 10000, "How many layers are left");
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
    check_options();
    convert::PruneOptions options;
    options.source = arguments[0];
    options.output = output_;
    options.vocabulary = vocabulary_;
    options.min_count = min_count_;
    if (given("--layers")) {
      options.layers = layers_;
    }
    options.target = target_;
    options.data = data_;
    options.dev = dev_;
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

 private:
  bool given(const char* option) const { return app_->count(option) > 0; }

  void check_options() const {
    const bool encoder = given("--layers") || target_;
    if (!encoder && vocabulary_.empty()) {
      throw UsageError("nothing to prune; expected --target SHARE, --layers K or --vocabulary F");
    }
    if (target_ && !(*target_ > 0 && *target_ < 1)) {
      throw UsageError(format("--target: %g is not a share; expected a number above 0 and below 1", *target_));
    }
    for (const char* option : {"--data", "--texts", "--seed"}) {
      if (!encoder && given(option)) {
        throw UsageError(std::string(option) + " goes with --target or --layers, not with --vocabulary alone");
      }
    }
    for (const char* option : {"--curve", "--budget"}) {
      if (!target_ && given(option)) {
        throw UsageError(std::string(option) + " goes with --target");
      }
    }
    if (vocabulary_.empty() && given("--min-count")) {
      throw UsageError("--min-count goes with --vocabulary");
    }
    if (encoder && data_.empty()) {
      throw UsageError("no texts to prune on; expected --data F");
    }
    if (curve_ && dev_.empty()) {
      throw UsageError("--curve needs data to measure on; expected --dev F");
    }
  }

  void show(const convert::PruneResult& result) {
    std::string out = shorten(output_, SIZE_MAX) + ":\n";
    if (result.vocabulary) {
      out += "  " + group_digits(result.vocabulary->after) + " of " + group_digits(result.vocabulary->before) +
             " tokens (" + group_digits(result.vocabulary->seen) + " seen in " +
             group_digits(result.vocabulary->texts) + " texts)\n";
    }
    if (!result.layers.empty()) {
      out += format("  %.1f %% of the encoder's operations, ", 100 * result.operations) +
             group_digits(result.parameters_after) + " of its " + group_digits(result.parameters_before) +
             " parameters (" + group_digits(result.texts) + " texts, " + group_digits(result.tokens) + " tokens)\n";
    }
    for (const convert::PrunedLayer& layer : result.layers) {
      if (layer.removed) {
        out += "  " + layer.name + ": gone\n";
        continue;
      }
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

  std::string output_, vocabulary_, data_, dev_, report_, budget_ = "operations";
  std::optional<double> target_;
  std::optional<std::string> task_;
  bool curve_ = false;
  uint32_t layers_ = 0, texts_ = 2000, seed_ = 1, threads_ = 2, min_count_ = 1;
  const CLI::App* app_ = nullptr;
};

}  // namespace

std::unique_ptr<Command> make_prune_command() { return std::make_unique<PruneCommand>(); }

}  // namespace kinglet::cli
