// kinglet compress: one command that plans all others.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <thread>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "compress/run.h"
#include "train/launch.h"

namespace kinglet::cli {

namespace {

class CompressCommand final : public Command {
 public:
  const char* name() const override { return "compress"; }
  const char* summary() const override { return "Bring a model under a budget: plan the passes, and carry them out"; }
  const char* arguments() const override { return "SRC --data F --dev F --budget SIZE --max-loss X -o OUT.kgl"; }
  const char* manual() const override {
    return "SRC is what `kinglet convert` takes, --data texts like those the model is for (labels where it is to be\n"
           "trained), --dev what figures are measured on. The result is one int8 file of at most --budget (9MB,\n"
           "8.5MiB, 900kB or bytes) whose usual metric on dev is not lower than the unchanged fp32 model's by more\n"
           "than --max-loss: 3% of that figure, or 3 points.\n"
           "\n"
           "First the plans are printed, with what every pass should weigh (exact for vocabularies and students, at\n"
           "most for pruned layers) and how long it should take here, from short trials. Then they are carried out\n"
           "in that order until one keeps both limits: 8 bits alone; vocabulary pruning (`prune --vocabulary`);\n"
           "heads and neurons pruned as far as the budget asks for (`prune --target`), with a smaller vocabulary;\n"
           "the same with an epoch of recovery (`finetune --recover`) in between; students of fewer layers, and\n"
           "narrower ones (`distill`). After every pass dev is measured in fp32 and int8; where a plan has lost too\n"
           "much, the next one is tried; where only rounding to 8 bits costs too much, it is calibrated (`convert\n"
           "--calibration`). --plan prints the plans and ends.\n"
           "\n"
           "When nothing keeps both limits, the exit code is 1, OUT is not written, and the message says which is the\n"
           "best file within the budget and where it is kept. Until it is done, all there is lies in OUT.compress; a\n"
           "run that was stopped or killed goes on with the same command (also with another budget or loss), --fresh\n"
           "begins anew.\n"
           "\n"
           "Training needs kinglet-train (on Debian: apt-get install libtorch-dev libopenblas0-pthread, then build\n"
           "kinglet). Without it, only what needs no training is planned.\n"
           "\n"
           "Examples:\n"
           "  kinglet compress minilm-sst2 --data train.tsv --dev dev.tsv --budget 9MB --max-loss 3% -o small.kgl\n"
           "  kinglet compress minilm-sst2 --data train.tsv --dev dev.tsv --budget 2.2MB --max-loss 8% --plan";
  }

  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", output_, "The file to write; an existing one is replaced")->type_name("OUT.kgl");
    app.add_option("--data", data_, "Texts to count, prune and train on: TSV, CoNLL (.conll) or SQuAD (.json)")
        ->type_name("F");
    app.add_option("--dev", dev_, "What to measure on, a data file as for `kinglet eval`")->type_name("F");
    app.add_option("--budget", budget_, "The most that the file may weigh: 9MB, 8.5MiB, 900kB, or bytes")
        ->type_name("SIZE");
    app.add_option("--max-loss", loss_, "The most that may be lost: 3% of the figure, or 3 points")->type_name("X");
    app.add_option("--report", page_, "Write a page about it, one HTML file")->type_name("R.html");
    app.add_flag("--plan", plan_, "Print the plans and end; nothing is written");
    app.add_flag("--fresh", fresh_, "Forget what a run that was stopped has left");
    threads_ = std::max(1u, std::thread::hardware_concurrency());
    add_number(app, "--threads", &threads_, 1024, "Default: as many as there are processors");
    add_number(app, "--seed", &seed_, UINT32_MAX, "Where all randomness comes from (default 1)");
    app.add_option("--device", device_, "To train on: auto (default), cpu or cuda")
        ->type_name("D")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    compress::Options options;
    options.budget = compress::parse_bytes(budget_);
    const char* missing = data_.empty()               ? "no data"
                          : dev_.empty()              ? "nothing to measure on"
                          : budget_.empty()           ? "no budget"
                          : loss_.empty()             ? "no limit of the loss"
                          : output_.empty() && !plan_ ? "no output"
                                                      : nullptr;
    if (missing != nullptr) {
      throw UsageError(std::string(missing) + "; expected kinglet compress " + this->arguments());
    }
    if (options.budget == 0) {
      throw UsageError("--budget: \"" + budget_ +
                       "\" is not a size; expected a number of bytes, or one with kB, MB, KiB or MiB behind it");
    }
    if (!compress::parse_loss(loss_, &options.loss)) {
      throw UsageError("--max-loss: \"" + loss_ +
                       "\" is not a loss; expected per cent of the figure (3%) or points (3), from 0 to 100");
    }
    options.source = arguments[0];
    options.data = data_;
    options.dev = dev_;
    options.output = output_;
    options.page = page_;
    options.device = device_;
    options.threads = threads_;
    options.seed = seed_;
    options.fresh = fresh_;
    options.plan_only = plan_;
    options.command = command_line();
    options.trainer = train::find_trainer();
    Progress progress;
    options.progress = [&](const std::string& what, double fraction) { progress.show(what, fraction); };
    options.say = [](const std::string& line) {
      output().write(shorten(line, SIZE_MAX) + "\n");
      output().flush();
    };
    compress::compress(options);
    return kExitGood;
  }

 private:
  std::string output_, data_, dev_, budget_, loss_, page_, device_ = "auto";
  bool plan_ = false, fresh_ = false;
  uint32_t threads_ = 1, seed_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_compress_command() {
  return std::make_unique<CompressCommand>();
}

}  // namespace kinglet::cli
