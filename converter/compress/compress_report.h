// The page of a run: plan against what happened, sizes and accuracy by pass, curves of training.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "compress/judge.h"
#include "compress/run.h"
#include "report/report.h"

namespace kinglet::compress {

// What a run has done.
struct Story {
  std::vector<convert::PlannedPass> passes;
  std::vector<convert::Measurement> measurements;  // in the order in which they were made
  std::vector<convert::TrainingCurve> training;
  std::vector<std::string> notes;
  double limit = 0;
  uint64_t best_bytes = 0;  // of `file`
};

// Writes options.page, whole or not at all, about `file`, the output or the best that there is; empty: nothing was
// small enough. `what` stands for its name. Throws convert::Error.
void write_story(const Options& options, const Story& story, const std::filesystem::path& file,
                 const std::string& what);

}  // namespace kinglet::compress
