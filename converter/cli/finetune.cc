// kinglet finetune
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/train_options.h"

namespace kinglet::cli {

namespace {

class FinetuneCommand final : public Command {
 public:
  const char* name() const override { return "finetune"; }
  const char* summary() const override { return "Train a model for a task"; }
  const char* arguments() const override { return "SRC --data F --dev F -o OUTDIR"; }
  const char* manual() const override {
    static const std::string text =
        std::string(
            "SRC is what `kinglet convert` takes: a Hugging Face or sentence-transformers folder of the families "
            "bert,\n"
            "albert, distilbert, electra, mpnet, roberta, xlm-roberta or camembert. What is learnt follows from the "
            "data: a\n"
            "TSV file with a column `label` makes a classifier (of pairs, with sentence1 and sentence2), one with "
            "`score`\n"
            "only a model that gives a number, CoNLL a tagger, SQuAD JSON a model that answers questions. The head is "
            "SRC's\n"
            "where it suits the data, and else a new one, drawn as transformers does.\n"
            "\n"
            "--train all changes every weight; head only what stands behind the encoder, as far as a new head goes a "
            "quick\n"
            "first look; gradual (Howard and Ruder, 2018) begins with the head and adds a layer at a time, "
            "--layer-decay\n"
            "making lower layers slower.\n"
            "\n"
            "--recover is for a model that was pruned: one epoch that brings it back, from the logits and hidden "
            "states\n"
            "of --teacher (the model before pruning; --hidden-loss is 1 then), or else from the labels; the loss\n"
            "options are those of `kinglet distill`.\n"
            "\n") +
        kTrainingManual +
        "\n"
        "\n"
        "Examples:\n"
        "  kinglet finetune all-MiniLM-L6-v2 --data train.tsv --dev dev.tsv -o sst2\n"
        "  kinglet finetune all-MiniLM-L6-v2 --data sick/train.tsv --dev sick/dev.tsv --epochs 4 -o sick\n"
        "  kinglet finetune pruned --recover --teacher sst2 --data train.tsv --dev dev.tsv -o recovered";
    return text.c_str();
  }

  void add_options(CLI::App& app) override {
    add_training_options(app, &settings_);
    app.add_option("--task", settings_.task, "classify, regress, tag or answer, instead of what the data looks like")
        ->type_name("T")
        ->check(CLI::IsMember({"auto", "classify", "regress", "tag", "answer"}));
    app.add_option("--labels", labels_, "The labels in the order of their indices; default: SRC's, or the data's")
        ->type_name("a,b,…");
    app.add_option("--train", settings_.train, "all (default), head or gradual")
        ->type_name("WHAT")
        ->check(CLI::IsMember({"all", "head", "gradual"}));
    add_real(app, "--layer-decay", &settings_.layer_decay, "A layer's rate is that of the one above times this");
    app.add_flag("--recover", recover_, "One epoch after pruning");
    app.add_option("--teacher", settings_.teacher, "The model before pruning, for --recover")->type_name("T");
    add_loss_options(app, &settings_);
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    if (settings_.output.empty() || settings_.data.empty()) {
      throw UsageError(std::string(settings_.output.empty() ? "no output" : "no data") +
                       "; expected kinglet finetune " + this->arguments());
    }
    if (!settings_.teacher.empty() && !recover_) {
      throw UsageError("--teacher goes with --recover; a new student is what kinglet distill makes");
    }
    settings_.source = arguments[0];
    if (labels_) {
      settings_.labels = parse_names(*labels_, "--labels");
    }
    settings_.epochs = settings_.epochs > 0 ? settings_.epochs : recover_ ? 1 : 3;
    settings_.rate = settings_.rate > 0 ? settings_.rate : 5e-5;
    if (settings_.hidden_loss < 0) {
      settings_.hidden_loss = settings_.teacher.empty() || settings_.teacher_precision == "int8" ? 0 : 1;
    }
    start_training(settings_);
  }

 private:
  static train::Settings defaults() {
    train::Settings settings;
    settings.epochs = settings.rate = 0;  // not given
    settings.hidden_loss = -1;            // likewise
    return settings;
  }

  train::Settings settings_ = defaults();
  std::optional<std::string> labels_;
  bool recover_ = false;
};

}  // namespace

std::unique_ptr<Command> make_finetune_command() {
  return std::make_unique<FinetuneCommand>();
}

}  // namespace kinglet::cli
