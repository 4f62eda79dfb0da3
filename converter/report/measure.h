// What the report says about models that run: how well they answer, how far they agree, how fast they are here.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "eval/evaluate.h"
#include "kinglet.hpp"
#include "report/report.h"

namespace kinglet::convert {

// A model at some point of the work; the first of a list is what came in.
struct Stage {
  std::string name;  // "fp32", "int8"
  const Model* model = nullptr;
};

using MeasureProgress = std::function<void(const std::string& what, double fraction)>;

// Evaluates all stages on `data`, read for the first of them, and fills measurements, agreement and changed answers (of
// the last stage with the first). Throws Error for what cannot be computed.
void measure_answers(const std::vector<Stage>& stages, const eval::Data& data, uint32_t threads,
                     const MeasureProgress& progress, Report* report);

// Times single inputs of random ids on one thread, at 16, 64, 128 and 256 tokens (as far as both models read): the
// calls of the two alternate, and the medians count. `before` may be null. Fills latencies and their conditions.
void measure_latencies(const Model* before, const Model& after, const MeasureProgress& progress, Report* report);

}  // namespace kinglet::convert
