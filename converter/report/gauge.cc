// Evaluation and timing as passes need them.
#include "report/gauge.h"

#include <utility>

#include "base/text.h"
#include "eval/bootstrap.h"
#include "eval/timing.h"

namespace kinglet::convert {

namespace {

constexpr double kTimingSeconds = 1;

}  // namespace

Gauge::Gauge(std::filesystem::path dev, std::string source, eval::PredictOptions options)
    : dev_(std::move(dev)), source_(std::move(source)), options_(std::move(options)) {}

double Gauge::value(const Model& model) {
  return measure("", model).value;
}

Measurement Gauge::measure(const std::string& pass, const Model& model) {
  if (!data_) {
    data_ = eval::read_data(dev_, model, source_);
  }
  const eval::Predictions predictions = eval::predict(model, source_, *data_, options_);
  const eval::Scorer scorer(*data_, predictions);
  const std::string& metric = eval::metrics_of(data_->kind).front();
  const std::optional<double> value = scorer.value(metric);
  if (!value) {
    refuse(dev_.string(), ": ", metric, " is undefined on it");
  }
  const auto interval = eval::bootstrap(scorer, metric);
  return {pass,
          metric,
          100 * *value,
          interval ? 100 * interval->low : 100 * *value,
          interval ? 100 * interval->high : 100 * *value,
          data_->size()};
}

Latency latency(const Model& before, const Model& after, uint32_t length) {
  const std::vector<eval::CallTime> times = eval::time_calls({&before, &after}, length, kTimingSeconds);
  return {std::to_string(length) + " tokens", times[0].median, times[1].median};
}

double speed(const Model& before, const Model& after, uint32_t length) {
  const Latency times = latency(before, after, length);
  return times.before_ms / times.after_ms;
}

}  // namespace kinglet::convert
