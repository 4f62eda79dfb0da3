// Fills a Report.
#include "compress/compress_report.h"

#include "base/sha256.h"
#include "base/text.h"
#include "eval/bootstrap.h"
#include "report/compare.h"
#include "report/converted_model.h"
#include "report/html.h"

namespace kinglet::compress {

namespace fs = std::filesystem;

namespace {

// The source in fp32 beside the file that came out.
void compare(const Options& options, const fs::path& file, const std::string& what, convert::Report* report) {
  convert::ConvertOptions twin;
  twin.source = options.source;
  twin.precision = "fp32";
  twin.progress = [&](const std::string&, double fraction) {
    options.progress("converting to fp32 to compare", fraction);
  };
  const convert::ConvertedModel before(twin, "the checkpoint in fp32");
  const Result<Model> after = Model::open(file.c_str());
  if (!after) {
    convert::refuse(after.error().message());
  }
  const convert::Anatomy anatomy = convert::read_anatomy(file);
  convert::add_sizes(&before.anatomy(), anatomy, report);
  report->facts = anatomy.facts;
  report->facts.emplace_back("SHA-256 of " + what, convert::sha256_of(file));
  const eval::Data data = eval::read_data(options.dev, before.model(), report->source);
  std::vector<convert::Measurement> by_pass = std::move(report->measurements);
  report->measurements.clear();
  convert::measure_answers({{"source, fp32", &before.model()}, {what, &*after}}, data, options.threads,
                           options.progress, report);
  // Passes first, and the file that came of them last, with the interval of the change.
  if (!by_pass.empty() && !report->measurements.empty()) {
    by_pass.push_back(report->measurements.back());
    report->measurements = std::move(by_pass);
  }
  convert::measure_latencies(&before.model(), *after, options.progress, report);
}

}  // namespace

void write_story(const Options& options, const Story& story, const fs::path& file, const std::string& what) {
  if (options.page.empty()) {
    return;
  }
  convert::OutputFile page(options.page);
  convert::Report report;
  report.source = convert::file_name(options.source);
  report.output = what;
  report.title = report.source + " in " + convert::bytes_text(options.budget);
  report.command = options.command;
  report.before_name = "fp32";
  report.after_name = "compressed";
  report.plan = story.passes;
  report.budget = options.budget;
  report.limit = story.limit;
  report.training = story.training;
  report.measurements = story.measurements;
  report.notes = story.notes;
  report.data = convert::file_name(options.dev);
  report.resamples = eval::kBootstrapResamples;
  report.seed = eval::kBootstrapSeed;
  if (!file.empty()) {
    compare(options, file, what, &report);
  }
  convert::write_page(report, page);
}

}  // namespace kinglet::compress
