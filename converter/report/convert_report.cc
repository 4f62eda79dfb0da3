// A conversion that ends with a page about it.
#include "report/convert_report.h"

#include <optional>

#include "base/sha256.h"
#include "base/text.h"
#include "report/compare.h"
#include "report/converted_model.h"
#include "report/html.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

void add_facts(const ConvertOptions& options, const ConvertResult& result, const Anatomy& anatomy, Report* report) {
  report->facts = anatomy.facts;
  const auto fact = [&](const std::string& name, const std::string& value) { report->facts.emplace_back(name, value); };
  fact("Precision", options.precision);
  if (!options.calibration.empty()) {
    fact("Calibrated on", std::to_string(options.calibration_texts) + " texts of " +
                              options.calibration.filename().string() + ", seed " +
                              std::to_string(options.calibration_seed));
  }
  if (!options.keep_fp32.empty()) {
    fact("Kept in fp32", list_text(options.keep_fp32));
  }
  fact("Bytes that went in", grouped(result.source_bytes));
  for (const fs::path& file : result.source_files) {
    fact("SHA-256 of " + file.filename().string(), sha256_of(file));
  }
  fact("Bytes that came out", grouped(result.output_bytes));
  fact("SHA-256 of " + file_name(options.output), sha256_of(options.output));
}

}  // namespace

ConvertResult convert_with_report(const ConvertOptions& options, const ReportOptions& report_options) {
  const MeasureProgress progress =
      options.progress ? options.progress : MeasureProgress([](const std::string&, double) {});
  OutputFile page(report_options.page);
  Report report;
  report.source = file_name(options.source);
  report.output = file_name(options.output);
  const bool int8 = options.precision == "int8";
  report.title = report.source + (int8 ? " in 8 bits" : " in fp32");
  report.before_name = "fp32";
  report.after_name = options.precision;
  report.command = report_options.command;

  std::optional<ConvertedModel> plain;
  if (int8) {
    ConvertOptions twin;
    twin.source = options.source;
    twin.precision = "fp32";
    twin.task = options.task;
    twin.labels = options.labels;
    twin.progress = [&](const std::string&, double fraction) { progress("converting to fp32 to compare", fraction); };
    plain.emplace(twin, "the checkpoint in fp32");
  }
  std::optional<eval::Data> data;
  if (!options.dev.empty() && plain) {
    data = eval::read_data(options.dev, plain->model(), report.source, eval::Truth::kOptional);
  }

  ConvertResult result = convert(options);
  Result<Model> opened = Model::open(options.output.string());
  if (!opened) {
    refuse(opened.error().message());
  }
  const Model model = *std::move(opened);
  if (!options.dev.empty() && !data) {
    data = eval::read_data(options.dev, model, report.output, eval::Truth::kOptional);
  }
  const Anatomy anatomy = read_anatomy(options.output);
  add_sizes(plain ? &plain->anatomy() : nullptr, anatomy, &report);
  add_facts(options, result, anatomy, &report);
  std::vector<Stage> stages;
  if (plain) {
    stages.push_back({"fp32", &plain->model()});
  }
  stages.push_back({options.precision, &model});
  if (data) {
    measure_answers(stages, *data, report_options.threads, progress, &report);
  } else {
    report.not_measured = "No data was given. With --dev FILE the page shows it before and after, and what changed.";
  }
  measure_latencies(plain ? &plain->model() : nullptr, model, progress, &report);
  report.sensitivities = result.sensitivities;
  report.sensitivity_meaning = result.sensitivity_meaning;
  report.notes = result.notes;
  write_page(report, page);
  result.measurements = std::move(report.measurements);
  result.agreement = std::move(report.agreement);
  return result;
}

}  // namespace kinglet::convert
