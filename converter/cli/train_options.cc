// Options of training on the command line, and starting it.
#include "cli/train_options.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <thread>

#include "cli/command.h"
#include "cli/stream.h"
#include "train/launch.h"

namespace kinglet::cli {

const char* const kTrainingManual =
    "OUTDIR is a Hugging Face folder, which `kinglet convert` turns into a .kgl file, with the training's log in\n"
    "training_log.jsonl. Until it is done, all there is lies in OUTDIR.training, whose state is replaced as a whole:\n"
    "a run that was stopped or killed at any moment goes on when the same command is given again, and ends with the\n"
    "same weights to the bit as one that was never stopped. --fresh begins anew. The same seed gives the same weights\n"
    "on the same machine with the same number of threads.\n"
    "\n"
    "Training runs in kinglet-train, which needs libtorch (on Debian: apt-get install libtorch-dev\n"
    "libopenblas0-pthread, then build kinglet). It computes on the GPU where libtorch sees one. On processors shared\n"
    "with other work OMP_WAIT_POLICY=passive helps; it is set unless the environment says otherwise.";

void add_real(CLI::App& app, const char* name, double* value, const char* help) {
  app.add_option_function<std::string>(
         name,
         [=](const std::string& text) {
           const char* end = text.data() + text.size();
           const auto [stop, error] = std::from_chars(text.data(), end, *value);
           if (error != std::errc() || stop != end || !std::isfinite(*value) || *value < 0) {
             throw UsageError(std::string(name) + ": \"" + text + "\" is not a number of at least 0");
           }
         },
         help)
      ->type_name("X");
}

void add_training_options(CLI::App& app, train::Settings* s) {
  const auto names = [&](const char* name, std::vector<std::string>* list, const char* help) {
    app.add_option(name, *list, help)->type_name("F")->expected(1)->take_all()->allow_extra_args(false);
  };
  app.add_option("-o,--output", s->output, "The folder to write")->type_name("OUTDIR");
  names("--data", &s->data, "What to learn from: TSV, CoNLL (.conll) or SQuAD (.json); may be repeated");
  app.add_option("--dev", s->dev, "What to judge by: the model that is best on it is kept")->type_name("F");
  app.add_option("--metric", s->metric, "The figure to judge by, as in `kinglet eval`; default: the usual one")
      ->type_name("M");
  add_real(app, "--epochs", &s->epochs, "How often every text is learnt from, 0.5 for half of them");
  add_real(app, "--lr", &s->rate, "Learning rate at its highest");
  add_real(app, "--head-lr", &s->head_rate, "The head's, where it is to be another one");
  add_real(app, "--warmup", &s->warmup, "Share of the steps in which the rate rises (default 0.1); then it falls to 0");
  add_real(app, "--weight-decay", &s->weight_decay, "AdamW's (default 0.01); not of biases and norms");
  add_real(app, "--clip", &s->clip, "The most that the gradient's norm may be (default 1; 0: no limit)");
  app.add_option_function<std::string>(
         "--dropout",
         [s](const std::string& text) {
           double value = 0;
           const char* end = text.data() + text.size();
           const auto [stop, error] = std::from_chars(text.data(), end, value);
           if (error != std::errc() || stop != end || !(value >= 0 && value < 1)) {
             throw UsageError("--dropout: \"" + text + "\" is not a number from 0 to 1");
           }
           s->dropout = value;
         },
         "Instead of what the model's config.json says")
      ->type_name("X");
  add_number(app, "--batch", &s->batch, 65536, "Texts per step (default 32)");
  add_number(app, "--max-length", &s->max_length, 65536,
             "Tokens per text; longer ones are cut (default 128; questions 384)");
  add_number(app, "--evaluations", &s->evaluations, 1000, "On dev, per epoch (default 1)");
  add_number(app, "--patience", &s->patience, 1000, "End after so many evaluations that were no better");
  add_number(app, "--max-steps", &s->max_steps, 1000000000, "End after so many steps");
  app.add_option_function<std::string>(
         "--seed",
         [s](const std::string& text) {
           const char* end = text.data() + text.size();
           const auto [stop, error] = std::from_chars(text.data(), end, s->seed);
           if (error != std::errc() || stop != end) {
             throw UsageError("--seed: \"" + text + "\" is not a whole number");
           }
         },
         "Where all randomness comes from (default 1)")
      ->type_name("N");
  s->threads = std::max(1u, std::thread::hardware_concurrency());
  add_number(app, "--threads", &s->threads, 1024, "Default: as many as there are processors");
  app.add_option("--device", s->device, "auto (default), cpu or cuda")
      ->type_name("D")
      ->check(CLI::IsMember({"auto", "cpu", "cuda"}));
  add_real(app, "--checkpoint-minutes", &s->checkpoint_minutes, "Keep the state so often (default 5)");
  add_number(app, "--checkpoint-steps", &s->checkpoint_steps, 1000000000, "Keep it every N steps instead");
  app.add_option("--report", s->report, "Write a page about it, one HTML file")->type_name("R.html");
  app.add_flag("--fresh", s->fresh, "Forget what a run that was stopped has left");
}

void add_loss_options(CLI::App& app, train::Settings* s) {
  add_real(app, "--temperature", &s->temperature, "Divides logits before they are compared (default 2)");
  add_real(app, "--logit-loss", &s->logit_loss, "Weight of the teacher's logits (default 1)");
  add_real(app, "--hidden-loss", &s->hidden_loss, "Weight of its hidden states (default 0; 1 for --recover from fp32)");
  add_real(app, "--attention-loss", &s->attention_loss, "Weight of its attention relations (default 0)");
  add_real(app, "--label-loss", &s->label_loss, "Weight of the data's labels beside a teacher (default 0)");
  add_number(app, "--cache", &s->cache_megabytes, 1 << 20, "MiB for what the teacher says (default 1024)");
  app.add_option("--teacher-precision", s->teacher_precision, "fp32 (default), or int8: logits several times sooner")
      ->type_name("P")
      ->check(CLI::IsMember({"fp32", "int8"}));
}

void start_training(train::Settings settings) {
  settings.command = command_line();
  train::check_settings(settings);
  output().flush();
  train::become_trainer(settings);
}

}  // namespace kinglet::cli
