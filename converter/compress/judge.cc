// Files without a name, evaluated.
#include "compress/judge.h"

#include <chrono>

#include "base/text.h"
#include "eval/bootstrap.h"
#include "report/compare.h"

namespace kinglet::compress {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using convert::Json;
using convert::refuse;

namespace {

double seconds_since(Clock::time_point then) { return std::chrono::duration<double>(Clock::now() - then).count(); }

Json json_of(const Figure& figure) { return {figure.value, figure.low, figure.high}; }

Figure figure_of(const Json& json) {
  return {json.at(0).get<double>(), json.at(1).get<double>(), json.at(2).get<double>()};
}

}  // namespace

Json to_json(const Judgement& judgement) {
  return {{"fp32", json_of(judgement.fp32)},
          {"int8", json_of(judgement.int8)},
          {"bytes", judgement.bytes},
          {"convert_seconds", judgement.convert_seconds},
          {"evaluate_seconds", judgement.evaluate_seconds}};
}

Judgement judgement_from_json(const Json& json, const std::string& where) {
  try {
    return {figure_of(json.at("fp32")), figure_of(json.at("int8")), json.at("bytes").get<uint64_t>(),
            json.at("convert_seconds").get<double>(), json.at("evaluate_seconds").get<double>()};
  } catch (const Json::exception&) {
    refuse(where, ": is not what kinglet wrote; --fresh begins anew");
  }
}

Judgement Judge::judge(const fs::path& checkpoint, const fs::path& calibration) {
  Judgement result;
  for (const char* precision : {"fp32", "int8"}) {
    const bool int8 = std::string(precision) == "int8";
    if (!int8 && !calibration.empty()) {
      continue;
    }
    auto begin = Clock::now();
    convert::ConvertOptions options;
    options.source = checkpoint;
    options.precision = precision;
    options.calibration = int8 ? calibration : fs::path();
    options.progress = [&](const std::string& what, double fraction) { progress_(what, fraction); };
    const convert::ConvertedModel model(options, checkpoint.filename().string() + " in " + precision);
    result.convert_seconds += seconds_since(begin);
    begin = Clock::now();
    (int8 ? result.int8 : result.fp32) = measure(model.model(), checkpoint.filename().string());
    result.evaluate_seconds += seconds_since(begin);
    if (int8) {
      result.bytes = model.anatomy().bytes;
    }
  }
  return result;
}

Figure Judge::measure(const Model& model, const std::string& name) {
  if (!data_) {
    data_ = eval::read_data(dev_, model, name);
    metric_ = eval::metrics_of(data_->kind).front();
  }
  eval::PredictOptions options;
  options.threads = threads_;
  options.progress = [this](double fraction) { progress_("measuring", fraction); };
  const eval::Predictions predictions = eval::predict(model, name, *data_, options);
  const eval::Scorer scorer(*data_, predictions);
  const std::optional<double> value = scorer.value(metric_);
  if (!value) {
    refuse(dev_.string(), ": ", metric_, " is undefined on it");
  }
  const auto interval = eval::bootstrap(scorer, metric_);
  return {100 * *value, 100 * (interval ? interval->low : *value), 100 * (interval ? interval->high : *value)};
}

}  // namespace kinglet::compress
