// What the report says about models that run.
#include "report/measure.h"

#include <algorithm>
#include <fstream>

#include "base/text.h"
#include "eval/agreement.h"
#include "eval/bootstrap.h"
#include "eval/timing.h"
#include "report/html.h"

namespace kinglet::convert {

namespace {

constexpr size_t kMostChanged = 10;
constexpr uint32_t kLengths[] = {16, 64, 128, 256};
constexpr double kSecondsALength = 0.6;
constexpr double kUnrest = 1.3;

void add_agreement(const eval::Data& data, const eval::Agreement& agreement, Report* report) {
  const std::string of = std::to_string(agreement.equal) + " of " + std::to_string(agreement.count);
  const std::string share = formatted("%.2f %%", agreement.share * 100);
  switch (data.kind) {
    case eval::Kind::kLabels:
      report->agreement = {{"equal labels", share}, {"in numbers", of}};
      break;
    case eval::Kind::kTags:
      report->agreement = {{"equal tags of words", share}, {"in numbers", of}};
      break;
    case eval::Kind::kAnswers:
      report->agreement = {{"equal answers", share}, {"in numbers", of}};
      break;
    case eval::Kind::kEmbeddings:
      report->agreement = {
          {"mean cosine", formatted("%.5f", agreement.mean_cosine)},
          {"least cosine",
           formatted("%.5f", agreement.least_cosine) + " (\"" + data.text(agreement.least_example) + "\")"},
          {"of embeddings of", std::to_string(agreement.count) + " texts"}};
      break;
    case eval::Kind::kNumbers:
      report->agreement = {{"mean difference", formatted("%.5f", agreement.mean_difference)},
                           {"largest difference", formatted("%.5f", agreement.largest_difference)}};
      break;
  }
  report->changed_count = agreement.differences.size();
  for (size_t i = 0; i < std::min(agreement.differences.size(), kMostChanged); ++i) {
    const eval::Difference& difference = agreement.differences[i];
    report->changed.push_back(
        {data.text(difference.example), difference.first, difference.second, data.correct(difference.example)});
  }
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos) {
      return line.substr(line.find(": ") + 2);
    }
  }
  return "";
}

}  // namespace

void measure_answers(const std::vector<Stage>& stages, const eval::Data& data, uint32_t threads,
                     const MeasureProgress& progress, Report* report) {
  std::vector<eval::Predictions> predictions;
  for (const Stage& stage : stages) {
    eval::PredictOptions options;
    options.threads = threads;
    options.keep_outputs = data.kind == eval::Kind::kEmbeddings;
    options.progress = [&](double fraction) { progress("evaluating " + stage.name, fraction); };
    predictions.push_back(eval::predict(*stage.model, stage.name, data, options));
  }
  report->data =
      std::filesystem::path(data.path).filename().string() + ": " + std::to_string(data.size()) + " " + data.unit() +
      (predictions[0].truncated > 0 ? ", of which " + std::to_string(predictions[0].truncated) + " texts were cut"
                                    : "");
  report->resamples = eval::kBootstrapResamples;
  report->seed = eval::kBootstrapSeed;
  if (data.has_truth) {
    const std::string metric = eval::metrics_of(data.kind)[0];
    const eval::Scorer first(data, predictions[0]);
    for (size_t i = 0; i < stages.size(); ++i) {
      const eval::Scorer scorer(data, predictions[i]);
      const std::optional<double> value = scorer.value(metric);
      if (!value) {
        report->not_measured = metric + " is undefined on this data.";
        report->measurements.clear();
        break;
      }
      Measurement measurement = {stages[i].name, metric, *value * 100, 0, 0, data.size(), 0, 0};
      if (const auto interval = eval::bootstrap(scorer, metric)) {
        measurement.low = interval->low * 100;
        measurement.high = interval->high * 100;
      }
      if (const auto change = i > 0 ? eval::bootstrap_change(first, scorer, metric) : std::nullopt) {
        measurement.change_low = change->low * 100;
        measurement.change_high = change->high * 100;
      }
      report->measurements.push_back(measurement);
    }
  } else {
    report->not_measured = "The data has no labels or scores.";
  }
  if (stages.size() > 1) {
    add_agreement(data, eval::agree(data, predictions.front(), predictions.back()), report);
  }
}

void measure_latencies(const Model* before, const Model& after, const MeasureProgress& progress, Report* report) {
  const uint32_t limit =
      before == nullptr ? after.info().max_length : std::min(before->info().max_length, after.info().max_length);
  std::vector<uint32_t> lengths;
  for (const uint32_t length : kLengths) {
    if (length <= limit || lengths.empty()) {
      lengths.push_back(std::min(length, limit));
    }
  }
  std::vector<const Model*> models = {&after};
  if (before != nullptr) {
    models.insert(models.begin(), before);
  }
  double unrest = 1;  // how many times the shortest call a median is
  for (const uint32_t length : lengths) {
    progress("timing", static_cast<double>(report->latencies.size()) / static_cast<double>(lengths.size()));
    const std::vector<eval::CallTime> times = eval::time_calls(models, length, kSecondsALength);
    report->latencies.push_back(
        {std::to_string(length) + " tokens", before != nullptr ? times.front().median : 0.0, times.back().median});
    unrest = std::max(unrest, times.back().median / times.back().least);
  }
  const std::string name = processor();
  report->latency_conditions = "Kernel path " + std::string(isa()) + (name.empty() ? "" : ", " + name) +
                               ", 1 thread, one input a call, tokenization not included; medians" +
                               (before != nullptr ? " of calls that alternate." : ".");
  if (unrest > kUnrest) {
    report->latency_conditions +=
        " The machine had other work: a median is up to " + formatted("%.1f", unrest) + " times the shortest call.";
  }
}

}  // namespace kinglet::convert
