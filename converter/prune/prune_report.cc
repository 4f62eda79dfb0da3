// A pruning that ends with a page about it.
#include "prune/prune_report.h"

#include <sstream>

#include "report/compare.h"
#include "report/html.h"

namespace kinglet::convert {

namespace {

// "3 of its 6 layers, 35 % of its encoder's operations and 17,488 of its 30,522 tokens"
std::string what_is_left(const PruneOptions& options, const PruneResult& result) {
  std::vector<std::string> parts;
  if (options.layers) {
    parts.push_back(std::to_string(*options.layers) + " of its " + std::to_string(result.layers.size()) + " layers");
  }
  if (options.target) {
    std::ostringstream share;
    share << *options.target * 100;
    parts.push_back(share.str() + " % of its encoder's " + (options.latency ? "time" : "operations"));
  }
  if (result.vocabulary) {
    parts.push_back(grouped(result.vocabulary->after) + " of its " + grouped(result.vocabulary->before) + " tokens");
  }
  std::string all = parts.front();
  for (size_t i = 1; i < parts.size(); ++i) {
    all += (i + 1 < parts.size() ? ", " : " and ") + parts[i];
  }
  return all;
}

void add_notes(const PruneOptions& options, const PruneResult& result, Report* report) {
  if (result.vocabulary) {
    std::string note = "Tokens stay that " + file_name(options.vocabulary) + " has ";
    note += options.min_count > 1 ? "at least " + std::to_string(options.min_count) + " times" : "at all";
    report->notes.push_back(note + " (" + grouped(result.vocabulary->seen) + " are seen in its " +
                            grouped(result.vocabulary->texts) + " texts), and those that all texts need.");
  }
  if (options.prunes_encoder()) {
    report->notes.push_back("Pruned without training on " + grouped(result.texts) + " texts (" +
                            grouped(result.tokens) + " tokens) drawn with the seed " + std::to_string(options.seed) +
                            "; what is left was fitted to the unpruned model's numbers.");
  }
}

}  // namespace

PruneResult prune_with_report(const PruneOptions& options, const ReportOptions& report_options) {
  OutputFile page(report_options.page);
  PruneResult result = prune(options);
  Report report;
  report.title = file_name(options.source) + " with " + what_is_left(options, result);
  report.command = report_options.command;
  report.layers = result.layers;
  report.measurements = result.measurements;
  if (options.curve) {
    report.curve = result.curve;
  }
  report.curve_metric = result.measurements.empty() ? "" : result.measurements.front().metric;
  report.seed = options.seed;
  add_notes(options, result, &report);
  CompareOptions compare;
  compare.before = options.source;
  compare.after = options.output;
  compare.dev = options.dev;
  compare.task = options.task;
  compare.threads = report_options.threads;
  compare.progress = options.progress;
  compare_checkpoints(compare, &report);
  write_page(report, page);
  return result;
}

}  // namespace kinglet::convert
