// kinglet prune: a checkpoint folder to a smaller one.
#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "prune/vocabulary.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::cli {

namespace {

class PruneCommand : public Command {
 public:
  const char* name() const override { return "prune"; }
  const char* summary() const override { return "Make a checkpoint smaller without training"; }
  const char* arguments() const override { return "SRC --vocabulary F -o OUTDIR"; }
  const char* manual() const override {
    return "Reads a Hugging Face or sentence-transformers folder and writes a smaller one, which `kinglet convert` and\n"
           "transformers read. OUTDIR appears whole or not at all. One that is there is replaced when it is empty or\n"
           "holds nothing but what kinglet wrote.\n"
           "\n"
           "--vocabulary F drops the tokens that the texts of F do not have, or, with --min-count N, have fewer than\n"
           "N times, and their rows of the embeddings. F is a TSV with a header line, CoNLL, SQuAD JSON or one text a\n"
           "line. A text whose tokens all stay becomes the same tokens as before; others become smaller pieces, down to\n"
           "single characters or bytes, and never an unknown token that was not there before.\n"
           "\n"
           "Examples:\n"
           "  kinglet prune minilm-agnews --vocabulary train.tsv -o smaller\n"
           "  kinglet prune minilm-agnews --vocabulary train.tsv --min-count 5 -o smaller";
  }

  void add_options(CLI::App& app) override {
    app.add_option("-o,--output", output_, "The folder to write")->type_name("OUTDIR");
    app.add_option("--vocabulary", vocabulary_, "Keep the tokens that these texts have")->type_name("F");
    add_number(app, "--min-count", &min_count_, 1000000, "Drop tokens seen fewer times than this (default 1)");
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 1, 1);
    if (output_.empty()) {
      throw UsageError("no output folder; expected -o OUTDIR");
    }
    if (vocabulary_.empty()) {
      throw UsageError("nothing to prune; expected --vocabulary F");
    }
    convert::CheckpointFolder folder = convert::read_checkpoint_folder(arguments[0]);
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

 private:
  std::string output_, vocabulary_;
  uint32_t min_count_ = 1;
};

}  // namespace

std::unique_ptr<Command> make_prune_command() { return std::make_unique<PruneCommand>(); }

}  // namespace kinglet::cli
