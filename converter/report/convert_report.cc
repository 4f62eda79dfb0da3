// A conversion that ends with a page about it.
#include "report/convert_report.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/sha256.h"
#include "base/text.h"
#include "report/anatomy.h"
#include "report/html.h"
#include "report/measure.h"
#include "writer/output_file.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

// An open file, closed at the end.
class Descriptor {
 public:
  explicit Descriptor(const fs::path& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) {
      refuse(path.string(), ": cannot be read back");
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close(fd_); }
  int get() const { return fd_; }

 private:
  int fd_;
};

Model open_model(int descriptor, const std::string& name) {
  Result<Model> model = Model::open_fd(descriptor);
  if (!model) {
    refuse(name, ": ", model.error().message());
  }
  return *std::move(model);
}

std::string file_name(const fs::path& path) {
  const fs::path plain = path.has_filename() ? path : path.parent_path();
  const std::string name = plain.filename().string();
  return name.empty() || name == "." ? path.string() : name;
}

void add_sizes(const std::optional<Anatomy>& before, const Anatomy& after, Report* report) {
  for (size_t i = 0; i < after.parts.size(); ++i) {
    report->sizes.push_back({after.parts[i].first, before ? before->parts[i].second : 0, after.parts[i].second});
  }
  report->bytes_before = before ? before->bytes : 0;
  report->bytes_after = after.bytes;
}

void add_facts(const ConvertOptions& options, const ConvertResult& result, const Anatomy& anatomy, Report* report) {
  report->facts = anatomy.facts;
  const auto fact = [&](const std::string& name, const std::string& value) { report->facts.emplace_back(name, value); };
  fact("Precision", options.precision);
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

  // What came in, able to run: the same checkpoint in fp32.
  OutputFile plain_file = OutputFile::nameless("the checkpoint in fp32");
  std::optional<Model> plain;
  std::optional<Anatomy> plain_anatomy;
  if (int8) {
    ConvertOptions twin;
    twin.source = options.source;
    twin.precision = "fp32";
    twin.task = options.task;
    twin.labels = options.labels;
    twin.progress = [&](const std::string&, double fraction) { progress("converting to fp32 to compare", fraction); };
    convert(twin, plain_file);
    plain.emplace(open_model(plain_file.descriptor(), "the checkpoint in fp32"));
    plain_anatomy = read_anatomy(plain_file.descriptor());
  }
  std::optional<eval::Data> data;
  if (!options.dev.empty() && plain) {
    data = eval::read_data(options.dev, *plain, report.source, eval::Truth::kOptional);
  }

  const ConvertResult result = convert(options);
  const Descriptor file(options.output);
  const Model model = open_model(file.get(), report.output);
  if (!options.dev.empty() && !data) {
    data = eval::read_data(options.dev, model, report.output, eval::Truth::kOptional);
  }
  const Anatomy anatomy = read_anatomy(file.get());
  add_sizes(plain_anatomy, anatomy, &report);
  add_facts(options, result, anatomy, &report);
  std::vector<Stage> stages;
  if (plain) {
    stages.push_back({"fp32", &*plain});
  }
  stages.push_back({options.precision, &model});
  if (data) {
    measure_answers(stages, *data, report_options.threads, progress, &report);
  } else {
    report.not_measured = "No data was given. With --dev FILE the page shows it before and after, and what changed.";
  }
  measure_latencies(plain ? &*plain : nullptr, model, progress, &report);
  report.sensitivities = result.sensitivities;
  report.sensitivity_meaning = result.sensitivity_meaning;
  report.notes = result.notes;
  const std::string html = render_report(report);
  page.write(0, html.data(), html.size());
  page.commit();
  return result;
}

}  // namespace kinglet::convert
