// kinglet distill
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/train_options.h"

namespace kinglet::cli {

namespace {

class DistillCommand final : public Command {
 public:
  const char* name() const override { return "distill"; }
  const char* summary() const override { return "Teach a smaller model what a larger one says"; }
  const char* arguments() const override { return "--teacher T --data F --student SHAPE -o OUTDIR"; }
  const char* manual() const override {
    static const std::string text =
        std::string(
            "T is a folder with a model that classifies, gives a number, tags or answers questions. SHAPE is what the "
            "student\n"
            "is to be: bert, bert-tiny (2 layers, 128 wide), bert-mini (4, 256), bert-small (4, 512), distilbert (half "
            "of\n"
            "the teacher's layers) or albert (layers that share their weights), and what differs from it: layers=N,\n"
            "hidden=N, heads=N, intermediate=N, embedding=N, positions=N. What is not said is as the teacher has it.\n"
            "The student has the teacher's tokenizer and labels. It begins with the teacher's weights where they fit\n"
            "(--init teacher: layers picked evenly; narrower embeddings are principal components of the teacher's),\n"
            "or with drawn ones (scratch).\n"
            "\n"
            "What it learns from, each with a weight, 0 leaving it out: --logit-loss the teacher's logits at "
            "--temperature;\n"
            "--hidden-loss its hidden states, projected where widths differ; --attention-loss the relations between "
            "its\n"
            "queries, keys and values in the last layer (MiniLM; Wang et al., 2020); --label-loss the labels of the "
            "data.\n"
            "--texts are files of plain text, one per line (a TAB between two), without labels; --augment adds copies "
            "of all\n"
            "texts with words replaced by similar ones. The teacher's logits are computed once and kept, up to "
            "--cache; where\n"
            "hidden states or attention are asked for, the teacher reads every batch along. With --teacher-precision "
            "int8\n"
            "kinglet's own runtime computes the logits, several times sooner.\n"
            "\n") +
        kTrainingManual +
        "\n"
        "\n"
        "Examples:\n"
        "  kinglet distill --teacher sst2 --data train.tsv --dev dev.tsv --student layers=3 -o small\n"
        "  kinglet distill --teacher sst2 --data train.tsv --texts more.txt --student bert-tiny --augment 2 -o tiny";
    return text.c_str();
  }

  void add_options(CLI::App& app) override {
    add_training_options(app, &settings_);
    app.add_option("--teacher", settings_.teacher, "The model to learn from")->type_name("T");
    app.add_option("--student", settings_.student, "What the student is to be")->type_name("SHAPE");
    app.add_option("--texts", settings_.texts, "Texts without labels; may be repeated")
        ->type_name("F")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    app.add_option("--init", settings_.init, "teacher (default) or scratch")
        ->type_name("HOW")
        ->check(CLI::IsMember({"teacher", "scratch"}));
    add_loss_options(app, &settings_);
    add_number(app, "--augment", &settings_.augment, 100, "Copies of every text with other words");
    add_real(app, "--replace", &settings_.replace, "Share of their words that are replaced (default 0.15)");
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 0, 0);
    const char* missing = settings_.teacher.empty()                           ? "no teacher"
                          : settings_.student.empty()                         ? "no student"
                          : settings_.output.empty()                          ? "no output"
                          : settings_.data.empty() && settings_.texts.empty() ? "no data"
                                                                              : nullptr;
    if (missing != nullptr) {
      throw UsageError(std::string(missing) + "; expected kinglet distill " + this->arguments());
    }
    start_training(settings_);
  }

 private:
  static train::Settings defaults() {
    train::Settings settings;
    settings.rate = 2e-4;  // students are small and often new
    return settings;
  }

  train::Settings settings_ = defaults();
};

}  // namespace

std::unique_ptr<Command> make_distill_command() {
  return std::make_unique<DistillCommand>();
}

}  // namespace kinglet::cli
