// Two checkpoints side by side, for the report of a pruning.
#include "report/compare.h"

#include "base/sha256.h"
#include "base/text.h"
#include "report/converted_model.h"
#include "report/html.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

std::string file_name(const fs::path& path) {
  const fs::path plain = path.has_filename() ? path : path.parent_path();
  const std::string name = plain.filename().string();
  return name.empty() || name == "." ? path.string() : name;
}

void add_sizes(const Anatomy* before, const Anatomy& after, Report* report) {
  for (size_t i = 0; i < after.parts.size(); ++i) {
    const uint64_t bytes = before != nullptr ? before->parts[i].second : 0;
    report->sizes.push_back({after.parts[i].first, bytes, after.parts[i].second});
  }
  report->bytes_before = before != nullptr ? before->bytes : 0;
  report->bytes_after = after.bytes;
}

void write_page(const Report& report, OutputFile& page) {
  const std::string html = render_report(report);
  page.write(0, html.data(), html.size());
  page.commit();
}

void compare_checkpoints(const CompareOptions& options, Report* report) {
  const MeasureProgress progress =
      options.progress ? options.progress : MeasureProgress([](const std::string&, double) {});
  ConvertOptions convert_options;
  convert_options.task = options.task;
  convert_options.progress = [&](const std::string&, double fraction) {
    progress("converting to int8 to compare", fraction);
  };
  convert_options.source = options.before;
  const ConvertedModel before(convert_options, "the checkpoint in int8");
  convert_options.source = options.after;
  const ConvertedModel after(convert_options, "the new checkpoint in int8");

  report->source = file_name(options.before);
  report->output = file_name(options.after);
  report->before_name = "before";
  report->after_name = "after";
  add_sizes(&before.anatomy(), after.anatomy(), report);
  for (const auto& [name, value] : after.anatomy().facts) {
    report->facts.emplace_back(name, value);
  }
  for (const auto& [name, value] : before.anatomy().facts) {
    if (name == "Architecture" || name == "Vocabulary") {
      report->facts.emplace_back(name + " that went in", value);
    }
  }
  for (const fs::path& folder : {options.before, options.after}) {
    const std::string hash = sha256_of(folder / "model.safetensors");
    if (!hash.empty()) {
      report->facts.emplace_back("SHA-256 of " + file_name(folder) + "/model.safetensors", hash);
    }
  }
  report->notes.push_back("Sizes and times are those of both checkpoints converted to int8 without calibration.");
  if (options.dev.empty()) {
    report->not_measured = "No data was given. With --dev FILE the page shows it before and after, and what changed.";
  } else {
    const eval::Data data = eval::read_data(options.dev, before.model(), report->source, eval::Truth::kOptional);
    std::vector<Measurement> measured = std::move(report->measurements);
    report->measurements.clear();
    measure_answers({{"before, int8", &before.model()}, {"after, int8", &after.model()}}, data, options.threads,
                    progress, report);
    if (!measured.empty()) {
      report->measurements = std::move(measured);
    }
  }
  measure_latencies(&before.model(), after.model(), progress, report);
}

}  // namespace kinglet::convert
