// Structured pruning without training: attention heads and neurons of feed-forward blocks go, in the order that a
// little text tells, until a share of the encoder's work is left, and what stays is solved anew to do the work of what
// went.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "report/report.h"

namespace kinglet::convert {

struct PruneOptions {
  std::filesystem::path source;  // what ConvertOptions::source takes
  std::filesystem::path output;  // a folder that does not exist yet, or one that kinglet wrote
  std::filesystem::path data;    // texts, in any of the forms of calibrate/texts.h; labels are not looked at
  std::filesystem::path dev;     // what to measure on (eval/evaluate.h); empty: nothing is measured
  double target = 0.5;           // of the encoder's work, what is left; in (0, 1)
  bool latency = false;          // work is time, measured here with the int8 kernels, instead of operations
  bool curve = false;            // prunes to other targets as well and measures them; needs dev
  uint32_t texts = 2000;         // at most, drawn from the data
  uint64_t seed = 1;
  uint32_t threads = 2;
  std::optional<std::string> task;  // as ConvertOptions::task
  std::function<void(const std::string& what, double fraction)> progress;
};

struct PruneResult {
  uint32_t texts = 0;     // that were used
  uint64_t tokens = 0;    // of them
  double operations = 0;  // share of the encoder's that is left, at the texts' mean length
  uint64_t parameters_before = 0, parameters_after = 0;  // of the encoder's layers
  std::vector<PrunedLayer> layers;
  std::vector<Measurement> measurements;  // fp32 and int8, before and after
  std::vector<Latency> latencies;         // int8
  std::vector<CurvePoint> curve;
};

// Writes the pruned checkpoint as a Hugging Face folder that convert() reads. Everything but measured times is
// determined by source, data and seed. Throws Error; the output is then as it was before.
PruneResult prune(const PruneOptions& options);

}  // namespace kinglet::convert
