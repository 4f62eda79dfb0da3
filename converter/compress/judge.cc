// Files without a name, evaluated.
#include "compress/judge.h"

#include <utility>

#include "base/clock.h"
#include "base/text.h"
#include "report/converted_model.h"

namespace kinglet::compress {

namespace fs = std::filesystem;
using convert::Clock;
using convert::Json;
using convert::refuse;
using convert::seconds_since;

namespace {

Json json_of(const Figure& figure) {
  return {figure.value, figure.low, figure.high};
}

Figure figure_of(const Json& json) {
  return {json.at(0).get<double>(), json.at(1).get<double>(), json.at(2).get<double>()};
}

eval::PredictOptions predict_options(uint32_t threads, const Judge::Progress& progress) {
  eval::PredictOptions options;
  options.threads = threads;
  options.progress = [progress](double fraction) { progress("measuring", fraction); };
  return options;
}

}  // namespace

Judge::Judge(const fs::path& dev, const std::string& source, uint32_t threads, Progress progress)
    : progress_(std::move(progress)), gauge_(dev, source, predict_options(threads, progress_)) {}

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
    (int8 ? result.int8 : result.fp32) = measure(model.model());
    result.evaluate_seconds += seconds_since(begin);
    if (int8) {
      result.bytes = model.anatomy().bytes;
    }
  }
  return result;
}

Figure Judge::measure(const Model& model) {
  const convert::Measurement measured = gauge_.measure("", model);
  metric_ = measured.metric;
  count_ = measured.count;
  return {measured.value, measured.low, measured.high};
}

}  // namespace kinglet::compress
