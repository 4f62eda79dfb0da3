// All that a training run depends on. `kinglet finetune` and `kinglet distill` read it from their command lines and
// hand it to kinglet-train as JSON; the run's own folder keeps it, so that a run is resumed with what it began with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"

namespace kinglet::train {

struct Settings {
  // ---- What ----
  std::string source;              // finetune: the model to train
  std::string teacher;             // distill, recover; empty: none
  std::string student;             // distill: see parse_student; empty: `source` is what learns
  std::vector<std::string> data;   // with labels
  std::vector<std::string> texts;  // without, for a teacher
  std::string dev;                 // empty: the last weights are kept
  std::string output;
  std::string task = "auto";        // or classify, regress, tag, answer
  std::string metric;               // on dev; empty: the usual one
  std::vector<std::string> labels;  // names in the order of their indices; empty: from the data

  // ---- How ----
  std::string train = "all";  // or "head", "gradual"
  double layer_decay = 1;     // a layer's rate is that of the layer above times this
  double epochs = 3, rate = 3e-5, head_rate = 0, weight_decay = 0.01, warmup = 0.1, clip = 1;
  std::optional<double> dropout;  // nothing: the model's
  uint32_t batch = 32, max_length = 0, patience = 0, evaluations = 1, max_steps = 0;
  uint64_t seed = 1;
  // max_length 0: 384 for questions, 128 for all else

  // ---- A teacher ----
  std::string init = "teacher";  // or "scratch"
  double temperature = 2, logit_loss = 1, label_loss = 0, hidden_loss = 0, attention_loss = 0;
  uint32_t augment = 0;   // copies of every text with some words replaced
  double replace = 0.15;  // share of words
  uint32_t cache_megabytes = 1024;
  std::string teacher_precision = "fp32";  // or "int8": by kinglet's runtime, for logits alone

  // ---- What has no bearing on the result, or may change between a run and its resumption ----
  uint32_t threads = 1;
  double checkpoint_minutes = 5;
  uint32_t checkpoint_steps = 0;  // 0: by time
  bool fresh = false;
  std::string device = "auto";
  std::string report;   // a page to write at the end; empty: none
  std::string command;  // the command line, for the page
};

convert::Json to_json(const Settings& settings);
// Throws convert::Error for missing, unknown or wrong fields.
Settings settings_from_json(const convert::JsonObject& json);

// Throws convert::Error for what cannot be: numbers out of range, a loss without a teacher.
void check_settings(const Settings& settings);

// What two runs must have in common for one to go on where the other stopped; the numbers' bits depend on the threads.
std::string fingerprint(const Settings& settings);

}  // namespace kinglet::train
