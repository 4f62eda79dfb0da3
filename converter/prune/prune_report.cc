// A pruning that ends with a page about it.
#include "prune/prune_report.h"

#include <sstream>

#include "report/compare.h"

namespace kinglet::convert {

PruneResult prune_with_report(const PruneOptions& options, const ReportOptions& report_options) {
  OutputFile page(report_options.page);
  PruneResult result = prune(options);
  Report report;
  std::ostringstream title, note;
  title << file_name(options.source) << " with " << options.target * 100 << " % of its encoder's "
        << (options.latency ? "time" : "operations");
  note << "Pruned without training on " << result.texts << " texts (" << result.tokens
       << " tokens) drawn with the seed " << options.seed
       << "; what is left was fitted to the unpruned model's numbers.";
  report.title = title.str();
  report.command = report_options.command;
  report.layers = result.layers;
  report.measurements = result.measurements;
  report.curve = result.curve;
  report.curve_metric = result.measurements.empty() ? "" : result.measurements.front().metric;
  report.seed = options.seed;
  report.notes.push_back(note.str());
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
