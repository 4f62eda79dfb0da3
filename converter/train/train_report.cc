// Fills a Report.
#include "train/train_report.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "base/text.h"
#include "report/compare.h"
#include "report/converted_model.h"
#include "report/html.h"
#include "report/training_log.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::ConvertedModel;

namespace {

std::unique_ptr<ConvertedModel> converted(const std::string& checkpoint, const std::string& precision) {
  convert::ConvertOptions options;
  options.source = checkpoint;
  options.precision = precision;
  return std::make_unique<ConvertedModel>(options, checkpoint + " in " + precision);
}

std::string number(double value) {
  return convert::formatted("%g", value);
}

void add_facts(const Settings& settings, uint32_t max_length, convert::Report* report) {
  const auto fact = [&](const std::string& name, const std::string& value) {
    if (!value.empty()) {
      report->facts.emplace_back(name, value);
    }
  };
  for (const std::string& data : settings.data) {
    fact("Learnt from", convert::file_name(data));
  }
  for (const std::string& texts : settings.texts) {
    fact("Texts without labels", convert::file_name(texts));
  }
  fact("Teacher", settings.teacher.empty() ? "" : convert::file_name(settings.teacher));
  fact("Student", settings.student);
  fact("Epochs", number(settings.epochs));
  fact("Learning rate", number(settings.rate));
  fact("Texts per step", std::to_string(settings.batch));
  fact("Tokens per text, at most", std::to_string(max_length));
  if (!settings.teacher.empty()) {
    fact("Losses", "logits " + number(settings.logit_loss) + ", hidden states " + number(settings.hidden_loss) +
                       ", attention " + number(settings.attention_loss) + ", labels " + number(settings.label_loss) +
                       "; temperature " + number(settings.temperature));
  }
  fact("Seed", std::to_string(settings.seed));
  fact("SHA-256 of model.safetensors", convert::sha256_of(fs::path(settings.output) / "model.safetensors"));
}

}  // namespace

void write_training_report(const Settings& settings, uint32_t max_length) {
  convert::OutputFile page(settings.report);
  convert::Report report;
  report.source = convert::file_name(settings.source.empty() ? settings.teacher : settings.source);
  report.output = convert::file_name(settings.output);
  report.title = report.output + ", trained from " + report.source;
  report.command = settings.command;
  report.before_name = settings.teacher.empty() ? "fp32" : "teacher";
  report.after_name = "int8";
  report.training.push_back(convert::read_training_log(fs::path(settings.output) / "training_log.jsonl", "Loss"));
  add_facts(settings, max_length, &report);

  const auto fp32 = converted(settings.output, "fp32"), int8 = converted(settings.output, "int8");
  std::unique_ptr<ConvertedModel> teacher;
  std::vector<convert::Stage> stages;
  if (!settings.teacher.empty()) {
    teacher = converted(settings.teacher, "fp32");
    stages.push_back({"teacher, fp32", &teacher->model()});
  }
  stages.push_back({"fp32", &fp32->model()});
  stages.push_back({"int8", &int8->model()});
  const ConvertedModel& before = teacher ? *teacher : *fp32;
  convert::add_sizes(&before.anatomy(), int8->anatomy(), &report);
  const auto silent = [](const std::string&, double) {};
  if (settings.dev.empty()) {
    report.not_measured = "No data was given. With --dev FILE the page shows how well the model answers.";
  } else {
    const eval::Data data = eval::read_data(settings.dev, fp32->model(), settings.output);
    convert::measure_answers(stages, data, settings.threads, silent, &report);
  }
  convert::measure_latencies(&before.model(), int8->model(), silent, &report);
  convert::write_page(report, page);
}

}  // namespace kinglet::train
