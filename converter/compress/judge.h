// How well checkpoints answer a data file, in fp32 and in int8, and what they weigh.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "base/json_file.h"
#include "report/gauge.h"

namespace kinglet::compress {

// Times 100, with a 95 % interval.
struct Figure {
  double value = 0, low = 0, high = 0;
};

struct Judgement {
  Figure fp32, int8;
  uint64_t bytes = 0;  // of the int8 file
  double convert_seconds = 0, evaluate_seconds = 0;
};

convert::Json to_json(const Judgement& judgement);
// Throws convert::Error for fields that are missing or of another type.
Judgement judgement_from_json(const convert::Json& json, const std::string& where);

class Judge {
 public:
  using Progress = std::function<void(const std::string& what, double fraction)>;

  // `source` stands for the model in messages about the data file `dev`.
  Judge(const std::filesystem::path& dev, const std::string& source, uint32_t threads, Progress progress);

  // Converts to both and measures. `calibration`: texts for int8, and then fp32 is left out; or empty. Throws
  // convert::Error.
  Judgement judge(const std::filesystem::path& checkpoint, const std::filesystem::path& calibration = {});
  // The metric's name, once something was judged.
  const std::string& metric() const { return metric_; }
  void set_metric(const std::string& metric) { metric_ = metric; }  // that an earlier run has found
  uint64_t count() const { return count_; }                         // of examples

 private:
  Figure measure(const Model& model);

  Progress progress_;
  convert::Gauge gauge_;
  std::string metric_;
  uint64_t count_ = 0;
};

}  // namespace kinglet::compress
