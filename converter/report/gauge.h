// What a pass costs and gains, measured: how well models answer a data file, and how fast they are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "eval/evaluate.h"
#include "kinglet.hpp"
#include "report/report.h"

namespace kinglet::convert {

class Gauge {
 public:
  // `dev`: a data file (eval/evaluate.h); `source` stands for the models in messages. One thread serves short texts.
  Gauge(std::filesystem::path dev, std::string source, eval::PredictOptions options = {});

  // The usual metric on the data, times 100; all models must have the task of the first. Throw Error.
  double value(const Model& model);
  Measurement measure(const std::string& pass, const Model& model);  // with its interval

 private:
  std::filesystem::path dev_;
  std::string source_;
  eval::PredictOptions options_;
  std::optional<eval::Data> data_;
};

// How many times as fast as `before` `after` is, at `length` tokens.
double speed(const Model& before, const Model& after, uint32_t length);
// The time of both.
Latency latency(const Model& before, const Model& after, uint32_t length);

}  // namespace kinglet::convert
