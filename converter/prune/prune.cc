// The order of pruning: vocabulary; read, measure, choose, cut and solve, measure again; write.
#include "prune/prune.h"

#include <new>
#include <utility>

#include "base/text.h"
#include "prune/encoder.h"
#include "prune/trial.h"
#include "report/gauge.h"
#include "source_model.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::convert {

namespace {

void check_options(const PruneOptions& options) {
  if (!options.prunes_encoder() && options.vocabulary.empty()) {
    refuse("nothing to prune, expected a vocabulary, layers or a target");
  }
  if (options.target && !(*options.target > 0 && *options.target < 1)) {
    refuse("the target is ", *options.target, ", expected a share above 0 and below 1");
  }
  if (options.curve && (options.dev.empty() || !options.target)) {
    refuse("a curve needs a target and data to measure on");
  }
}

void measure_both(const std::string& name, const SourceModel& source, Gauge& gauge, PruneResult* result) {
  for (const char* precision : {"fp32", "int8"}) {
    const Trial trial(source.model, source.tokenizer.get(), precision);
    result->measurements.push_back(gauge.measure(name + ", " + precision, trial.model()));
  }
}

PruneResult run(PruneOptions options) {
  if (!options.progress) {
    options.progress = [](const std::string&, double) {};
  }
  CheckpointFolder folder = read_checkpoint_folder(options.source);
  check_checkpoint_folder(folder, options.output);
  PruneResult result;
  Gauge gauge(options.dev, options.source.string());
  const auto prune_tokens = [&] {
    result.vocabulary = prune_vocabulary(folder, {options.vocabulary, options.min_count, [&](double fraction) {
                                                    options.progress("counting tokens", 0.02 + fraction / 50);
                                                  }});
  };
  if (!options.prunes_encoder() && options.dev.empty()) {
    prune_tokens();
  } else {
    SourceModel source = read_source_model(options.source, options.task, {}, options.progress);
    if (options.prunes_encoder()) {
      check_encoder(source.model, options);
    }
    if (!options.dev.empty()) {
      options.progress("measuring", 0.02);
      measure_both("checkpoint", source, gauge, &result);
    }
    std::optional<StagedCheckpoint> staged;
    if (!options.vocabulary.empty()) {
      prune_tokens();
      staged.emplace(folder, options.output);
      source = read_source_model(staged->path(), options.task, {}, options.progress);
      if (!options.dev.empty()) {
        measure_both("smaller vocabulary", source, gauge, &result);
      }
    }
    if (options.prunes_encoder()) {
      prune_encoder(options, source, gauge, folder, &result);
    }
  }
  write_checkpoint_folder(folder, options.output,
                          [&](double fraction) { options.progress("writing", 0.95 + 0.05 * fraction); });
  return result;
}

}  // namespace

PruneResult prune(const PruneOptions& options) {
  check_options(options);
  try {
    return run(options);
  } catch (const std::bad_alloc&) {
    refuse(options.source.string(), ": there is not enough memory to prune it");
  }
}

}  // namespace kinglet::convert
