// The page to show a colleague: what a conversion or a pruning took in, gave out, and cost. Plain structs that the
// passes fill, and one function that draws them; nothing here measures anything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kinglet::convert {

// A metric after a pass, times 100 where the metric is a share or a correlation (as `kinglet eval` prints it). The
// measurements of one metric follow each other in the order of the passes, the first being what came in.
struct Measurement {
  std::string pass;    // "checkpoint, fp32", "int8", "heads pruned", …
  std::string metric;  // "accuracy", "spearman", …
  double value = 0;
  double low = 0, high = 0;                // 95 % interval by bootstrap; equal: none was computed
  uint64_t count = 0;                      // examples
  double change_low = 0, change_high = 0;  // 95 % interval of the change from the first measurement; equal: none
};

// Bytes of a part of the model, in the file that came in (or its fp32 form) and in the one that came out.
struct SizePart {
  std::string name;
  uint64_t before = 0, after = 0;
};

// The median time of a call here.
struct Latency {
  std::string shape;  // "16 tokens"
  double before_ms = 0, after_ms = 0;
};

// How much one matrix in 8 bits, alone, changes the model's output.
struct Sensitivity {
  std::string matrix;
  double error = 0;  // relative; see Report::sensitivity_meaning
  bool kept_fp32 = false;
};

struct PrunedLayer {
  std::string name;         // "layer 0"
  std::vector<bool> heads;  // true: kept
  uint32_t neurons = 0, neurons_kept = 0;
  bool removed = false;  // the whole layer
};

// One point of accuracy against work.
struct CurvePoint {
  double target = 0;      // what was asked for: a share of the encoder's operations
  double operations = 0;  // what was kept: likewise, 0 to 1
  double accuracy = 0;    // as in Measurement
  double speed = 0;       // times as fast as unpruned, measured; 0: not measured
};

// A text that the model now answers differently.
struct ChangedAnswer {
  std::string text, before, after;
  std::string truth;  // "": not known
};

// Agreement of what came out with what came in, on the same texts.
struct AgreementFact {
  std::string name;   // "equal labels", "mean cosine"
  std::string value;  // "99.3 %", "0.99912"
};

// A pass as it was planned, and what came of it.
struct PlannedPass {
  std::string plan;  // "1", "2", …: rows of one plan follow each other
  std::string name;
  uint64_t expected_bytes = 0;  // of an int8 file behind it, at most
  uint64_t bytes = 0;           // 0: not known
  double expected_seconds = 0;
  double seconds = -1;         // negative: not carried out
  double fp32 = 0, int8 = 0;  // the metric behind it; 0: not measured
  std::string outcome;         // "", "not needed", "too much is lost", …
};

// What a training run told.
struct TrainingLoss {
  uint64_t step = 0;
  double loss = 0;
};
struct TrainingFigure {
  uint64_t step = 0;
  double value = 0;  // as in Measurement
  bool best = false;
};
struct TrainingCurve {
  std::string name;  // "recover", "distil into layers=3"
  std::vector<TrainingLoss> losses;
  std::string metric;                   // of the figures
  std::vector<TrainingFigure> figures;  // on dev
  uint64_t steps_per_epoch = 0;         // 0: not known
};

struct Report {
  std::string title;                                       // "minilm-sst2 in 8 bits"
  std::string command;                                     // the command line, as it was given
  std::string source, output;                              // names, without the folders of this machine
  std::vector<std::pair<std::string, std::string>> facts;  // what, value: architecture, options, hashes, version

  uint64_t bytes_before = 0, bytes_after = 0;  // of weights and tokenizer, in all; 0: not known
  std::vector<SizePart> sizes;

  std::vector<Measurement> measurements;  // none: `not_measured` says why
  std::string not_measured;               // "no data was given: --dev FILE"
  std::string data;                       // the name of the data file and what is in it: "dev.tsv, 872 texts"
  uint32_t resamples = 0;                 // of the bootstrap
  uint64_t seed = 0;

  std::vector<AgreementFact> agreement;
  std::vector<ChangedAnswer> changed;  // shown as they come, ten at most
  uint64_t changed_count = 0;          // in all

  std::string before_name = "before", after_name = "after";  // "fp32" and "int8"
  std::vector<Latency> latencies;
  std::string latency_conditions;  // "avx512_vnni, 1 thread, one text a call, median of 50 interleaved calls"

  std::vector<Sensitivity> sensitivities;  // in the order of the program
  std::string sensitivity_meaning;         // what `error` is: a sentence
  std::vector<PrunedLayer> layers;
  std::vector<CurvePoint> curve;
  std::string curve_metric;  // "accuracy"

  std::vector<PlannedPass> plan;
  uint64_t budget = 0;  // bytes
  double limit = 0;     // the least that the metric may be
  std::vector<TrainingCurve> training;

  std::vector<std::string> notes;  // sentences that belong on the page: seeds, times, what was tried
};

// One self-contained HTML page: no script, nothing fetched, light and dark, for screens and paper. Parts whose data is
// empty are left out, except that a page without measurements says so. Every string is escaped; bytes that are not
// UTF-8 become U+FFFD, and control characters spaces.
std::string render_report(const Report& report);

}  // namespace kinglet::convert
