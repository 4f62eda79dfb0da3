// Pruning without training: tokens that given texts do not have, whole layers, attention heads and neurons of
// feed-forward blocks go, in the order that a little text tells, and what stays is solved anew to do the work of what
// went.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "prune/vocabulary.h"
#include "report/report.h"

namespace kinglet::convert {

inline constexpr uint32_t kPruneTexts = 2000;  // that are drawn, unless told otherwise
inline constexpr uint32_t kPruneTokens = 128;  // of a text; longer ones are cut

struct PruneOptions {
  std::filesystem::path source;      // what ConvertOptions::source takes
  std::filesystem::path output;      // a folder that does not exist yet, or one that kinglet wrote
  std::filesystem::path vocabulary;  // texts whose tokens stay; empty: all do
  uint64_t min_count = 1;            // as VocabularyOptions::min_count
  std::optional<uint32_t> layers;    // that are left; fewer than there are
  std::optional<double> target;      // of the encoder's work, what is left; in (0, 1)
  std::filesystem::path data;        // for layers and target: texts to prune on, in any of the forms of
                                     // calibrate/texts.h; labels are not looked at
  std::filesystem::path dev;         // what to measure on (eval/evaluate.h); empty: nothing is measured
  bool latency = false;              // work is time, measured here with the int8 kernels, instead of operations
  bool curve = false;                // prunes to other targets as well and measures them; needs target and dev
  uint32_t texts = kPruneTexts;      // at most, drawn from the data
  uint64_t seed = 1;
  uint32_t threads = 2;
  std::optional<std::string> task;  // as ConvertOptions::task
  std::function<void(const std::string& what, double fraction)> progress;

  bool prunes_encoder() const { return layers || target; }
};

struct PruneResult {
  std::optional<VocabularyResult> vocabulary;
  uint32_t texts = 0;     // that were used of `data`
  uint64_t tokens = 0;    // of them
  double operations = 0;  // share of the encoder's that is left, at the texts' mean length
  uint64_t parameters_before = 0, parameters_after = 0;  // of the encoder's layers
  std::vector<PrunedLayer> layers;                       // empty: the encoder was left alone
  std::vector<Measurement> measurements;                 // fp32 and int8, before and after
  std::vector<Latency> latencies;                        // int8
  std::vector<CurvePoint> curve;
};

// Writes the pruned checkpoint as a Hugging Face folder that convert() reads. The vocabulary is pruned first, so that
// the encoder is pruned and measured on the tokens that it will have: the same files come out as from two runs.
// Everything but measured times is determined by source, texts and seed. Throws Error; the output is then as it was
// before.
PruneResult prune(const PruneOptions& options);

}  // namespace kinglet::convert
