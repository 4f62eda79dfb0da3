// One pass at a time.
#include "compress/passes.h"

#include "base/text.h"
#include "compress/survey.h"
#include "prune/prune.h"
#include "report/html.h"
#include "train/launch.h"

namespace kinglet::compress {

namespace fs = std::filesystem;
using convert::formatted;
using convert::refuse;

namespace {

void prune(const Options& options, const Pass& pass, const fs::path& source, const fs::path& output) {
  convert::PruneOptions prune;
  prune.source = source;
  prune.output = output;
  if (pass.kind == PassKind::vocabulary) {
    prune.vocabulary = options.data;
    prune.min_count = pass.min_count;
  } else {
    prune.data = options.data;
    prune.target = pass.target;
  }
  prune.seed = options.seed;
  prune.threads = options.threads;
  prune.progress = options.progress;
  convert::prune(prune);
}

void run_training(const Options& options, const train::Settings& settings) {
  const int code = train::run_trainer(*options.trainer, settings);
  if (code != 0) {
    refuse("training ended early, ", code == 1 ? "as its message says" : "with exit code " + std::to_string(code),
           "; the same command goes on from there");
  }
}

}  // namespace

std::string name_after(const std::string& name, const Pass& pass) {
  const std::string front = name == kSource ? "" : name + "+";
  switch (pass.kind) {
    case PassKind::prune:
      return front + formatted("prune-%.2f", pass.target);
    case PassKind::recover:
      return front + "recover";
    case PassKind::distill:
      return front + "distil-" + pass.student;
    case PassKind::vocabulary:
      return front + "vocabulary-" + std::to_string(pass.min_count);
    case PassKind::int8:
    case PassKind::calibrate:
      break;
  }
  return name;
}

void make_checkpoint(const Options& options, const Pass& pass, const fs::path& source, const fs::path& output) {
  switch (pass.kind) {
    case PassKind::prune:
    case PassKind::vocabulary:
      return prune(options, pass, source, output);
    case PassKind::recover:
      return run_training(options, recover_settings(options, source, output));
    case PassKind::distill:
      return run_training(options, distill_settings(options, pass.student, output));
    case PassKind::int8:
    case PassKind::calibrate:
      break;
  }
}

}  // namespace kinglet::compress
