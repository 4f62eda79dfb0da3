// Plans carried out: every pass leaves a checkpoint in the work folder, every checkpoint is measured once.
#include "compress/run.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "compress/compress_report.h"
#include "compress/judge.h"
#include "compress/passes.h"
#include "compress/survey.h"
#include "compress/work.h"
#include "convert.h"
#include "readers/source_folder.h"
#include "report/compare.h"
#include "report/html.h"
#include "report/training_log.h"
#include "train/journal.h"
#include "train/launch.h"

namespace kinglet::compress {

namespace fs = std::filesystem;
using convert::Clock;
using convert::formatted;
using convert::grouped;
using convert::Json;
using convert::refuse;
using train::duration_text;

namespace {

constexpr char kResult[] = "result.kgl", kBest[] = "best.kgl";

// What a run depends on. Budget and loss may change: what was made stays right.
Json settings_of(const Options& options) {
  const auto size = [](const fs::path& path) {
    std::error_code ignored;
    return static_cast<uint64_t>(fs::file_size(path, ignored));
  };
  return {{"source", fs::absolute(options.source).lexically_normal().string()},
          {"data", fs::absolute(options.data).lexically_normal().string()},
          {"data_bytes", size(options.data)},
          {"dev", fs::absolute(options.dev).lexically_normal().string()},
          {"dev_bytes", size(options.dev)},
          {"device", options.device},
          {"threads", options.threads},
          {"seed", options.seed}};
}

fs::path work_path(const Options& options) {
  fs::path path = options.output;
  return path.replace_filename(path.filename().string() + ".compress");
}

// The file that comes of a checkpoint, and how good it is.
struct Outcome {
  std::string name;
  bool calibrated = false;
  uint64_t bytes = 0;
  double value = 0;
};

// The plan that came furthest before it had lost too much.
struct GivenUp {
  size_t plan = 0;
  double value = 0;
};

class Runner {
 public:
  Runner(const Options& options, WorkFolder& work)
      : options_(options),
        work_(work),
        judge_(options.dev, options.source.string(), options.threads, options.progress) {}

  void run() {
    if (work_.resumed()) {
      options_.say("going on with " + work_.path().string());
    }
    source_ = judge(kSource, false);
    limit_ = options_.loss.limit(source_.fp32.value);
    options_.say(convert::file_name(options_.source) + ": " + judge_.metric() +
                 formatted(" %.2f in fp32", source_.fp32.value) + formatted(" and %.2f in int8, ", source_.int8.value) +
                 grouped(source_.bytes) + " bytes; wanted: at most " + grouped(options_.budget) +
                 formatted(" bytes and at least %.2f", limit_));
    survey_ = survey(options_, source_, work_);
    plans_ = make_plans(survey_.facts);
    print_plans();
    if (plans_.empty()) {
      const Least least = least_bytes(survey_.facts);
      if (!work_.resumed()) {
        work_.finish();
      }
      refuse("no plan is within ", grouped(options_.budget), " bytes: the smallest, ", least.how, ", has ",
             grouped(least.bytes), reason_without_training());
    }
    if (options_.plan_only) {
      return;
    }
    for (size_t i = 0; i < plans_.size(); ++i) {
      if (attempt(i)) {
        succeed();
        return;
      }
    }
    fail();
  }

 private:
  // ---- The plan ----

  void print_plans() {
    for (const std::string& note : survey_.notes) {
      options_.say(note);
    }
    for (size_t i = 0; i < plans_.size(); ++i) {
      const Plan& plan = plans_[i];
      options_.say("plan " + std::to_string(i + 1) + (plan.trains() ? ", with training" : "") + ": at most " +
                   grouped(plan.bytes()) + " bytes, about " + duration_text(plan.seconds()));
      for (const Pass& pass : plan.passes) {
        std::string line = "  " + describe(pass);
        line.resize(std::max<size_t>(line.size() + 1, 64), ' ');
        options_.say(line + grouped(pass.bytes) + " bytes, " + duration_text(pass.seconds));
        story_.passes.push_back({std::to_string(i + 1), describe(pass), pass.bytes, 0, pass.seconds, -1, 0, 0,
                                 pass.kind == PassKind::calibrate ? "not needed" : "not tried"});
      }
    }
  }

  std::string reason_without_training() const {
    return options_.trainer ? "" : std::string("; training could do more: ") + train::kGetTrainer;
  }

  // ---- Carrying it out ----

  // Whether the plan's file is good enough; then best_ is it. Unless it is to go to its end, a plan is given up as soon
  // as it has lost too much.
  bool attempt(size_t number, bool to_the_end = false) {
    const Plan& plan = plans_[number];
    size_t row = 0;
    for (size_t i = 0; i < number; ++i) {
      row += plans_[i].passes.size();
    }
    std::string name = kSource;
    Judgement judged = source_;
    for (size_t i = 0; i < plan.passes.size(); ++i, ++row) {
      const Pass& pass = plan.passes[i];
      convert::PlannedPass& told = story_.passes[row];
      told.outcome.clear();
      if (pass.kind == PassKind::int8) {
        told.seconds = judged.convert_seconds / 2;
        if (accept({name, false, judged.bytes, judged.int8.value}, &told)) {
          return true;
        }
        continue;
      }
      if (pass.kind == PassKind::calibrate) {
        if (judged.fp32.value < limit_) {
          told.outcome = "would not help";
          continue;
        }
        judged = carry_out(pass, name, number, &told);
        return accept({name, true, judged.bytes, judged.int8.value}, &told);
      }
      judged = carry_out(pass, name, number, &told);
      name = name_after(name, pass);
      const PassKind next = plan.passes[i + 1].kind;  // the last pass is int8 or calibrate
      const bool goes_on = next == PassKind::recover || next == PassKind::int8 || to_the_end;
      if (std::max(judged.fp32.value, judged.int8.value) < limit_ && !goes_on) {
        told.outcome = "too much is lost";
        remember({name, false, judged.bytes, judged.int8.value});
        if (!given_up_ || judged.fp32.value > given_up_->value) {
          given_up_ = {number, judged.fp32.value};
        }
        options_.say("plan " + std::to_string(number + 1) + formatted(" is given up: %.2f", judged.fp32.value) +
                     formatted(" in fp32, expected at least %.2f", limit_));
        return false;
      }
    }
    return false;
  }

  Judgement carry_out(const Pass& pass, const std::string& from, size_t plan, convert::PlannedPass* told) {
    const std::string name = name_after(from, pass);
    const bool calibrate = pass.kind == PassKind::calibrate;
    const std::string key = "seconds of " + name + (calibrate ? ", calibrated" : "");
    const bool known = work_.note(key) != nullptr;
    const auto begin = Clock::now();
    if (!calibrate && !fs::exists(work_.path(name))) {
      options_.say("plan " + std::to_string(plan + 1) + ": " + describe(pass));
      make_checkpoint(options_, pass, path_of(from), work_.path(name));
    }
    const Judgement judged = judge(name, calibrate);
    if (!known) {
      work_.set_note(key, convert::seconds_since(begin));
    }
    told->bytes = judged.bytes;
    told->seconds = work_.note(key)->get<double>();
    told->fp32 = calibrate ? 0 : judged.fp32.value;
    told->int8 = judged.int8.value;
    if (!told_.insert(key).second) {
      return judged;  // another plan has told of it
    }
    options_.say("  " + name + (calibrate ? ", calibrated" : "") + ": " + grouped(judged.bytes) + " bytes, " +
                 judge_.metric() + (calibrate ? "" : formatted(" %.2f in fp32,", judged.fp32.value)) +
                 formatted(" %.2f in int8, ", judged.int8.value) + duration_text(told->seconds));
    return judged;
  }

  fs::path path_of(const std::string& name) const { return name == kSource ? options_.source : work_.path(name); }

  // Measures a checkpoint, or remembers what was measured.
  Judgement judge(const std::string& name, bool calibrated) {
    const std::string key = "figures of " + name + (calibrated ? ", calibrated" : "");
    if (work_.note(key) == nullptr) {
      Json figures = to_json(judge_.judge(path_of(name), calibrated ? options_.data : fs::path()));
      figures["metric"] = judge_.metric();
      figures["count"] = judge_.count();
      work_.set_note(key, std::move(figures));
    }
    const Json& note = *work_.note(key);
    const Judgement judged = judgement_from_json(note, work_.path("notes.json").string());
    judge_.set_metric(note.value("metric", ""));
    const auto enter = [&](const char* precision, const Figure& figure) {
      const std::string pass = name + ", " + precision;
      for (const convert::Measurement& earlier : story_.measurements) {
        if (earlier.pass == pass) {
          return;
        }
      }
      story_.measurements.push_back(
          {pass, judge_.metric(), figure.value, figure.low, figure.high, note.value("count", uint64_t{0}), 0, 0});
    };
    if (!calibrated) {
      enter("fp32", judged.fp32);
    }
    enter(calibrated ? "calibrated int8" : "int8", judged.int8);
    return judged;
  }

  // ---- What comes of it ----

  bool good(const Outcome& outcome) const { return outcome.bytes <= options_.budget && outcome.value >= limit_; }

  bool accept(const Outcome& outcome, convert::PlannedPass* told) {
    told->bytes = outcome.bytes;
    told->int8 = outcome.value;
    told->outcome = good(outcome) ? "good enough" : outcome.bytes > options_.budget ? "too large" : "too much is lost";
    remember(outcome);
    if (!good(outcome)) {
      options_.say("plan " + told->plan + ": " + told->outcome + ": " + grouped(outcome.bytes) + " bytes, " +
                   judge_.metric() + formatted(" %.2f", outcome.value));
    }
    return good(outcome);
  }

  // The best of what is small enough.
  void remember(const Outcome& outcome) {
    if (outcome.bytes <= options_.budget && (best_.name.empty() || outcome.value > best_.value)) {
      best_ = outcome;
    }
  }

  void convert_best(const fs::path& file) {
    convert::ConvertOptions options;
    options.source = path_of(best_.name);
    options.output = file;
    options.calibration = best_.calibrated ? options_.data : fs::path();
    options.progress = options_.progress;
    convert::convert(options);
  }

  void tell(const fs::path& file, const std::string& what) {
    for (const auto& entry : fs::directory_iterator(work_.path())) {
      if (fs::exists(entry.path() / "training_log.jsonl")) {
        story_.training.push_back(
            convert::read_training_log(entry.path() / "training_log.jsonl", entry.path().filename().string()));
      }
    }
    std::sort(story_.training.begin(), story_.training.end(),
              [](const convert::TrainingCurve& a, const convert::TrainingCurve& b) { return a.name < b.name; });
    story_.notes = survey_.notes;
    story_.limit = limit_;
    write_story(options_, story_, file, what);
  }

  void succeed() {
    const fs::path file = work_.path(kResult);
    convert_best(file);
    tell(file, convert::file_name(options_.output));
    std::error_code error;
    fs::rename(file, options_.output, error);
    if (error) {
      refuse(options_.output.string(), ": cannot be written: ", error.message());
    }
    work_.finish();
    options_.say(options_.output.string() + ": " + grouped(best_.bytes) + " bytes, " + judge_.metric() +
                 formatted(" %.2f", best_.value) +
                 formatted(" (%.1f %% of fp32's)", 100 * best_.value / source_.fp32.value) + ", from " + best_.name +
                 (best_.calibrated ? ", calibrated" : ""));
  }

  [[noreturn]] void fail() {
    if (given_up_ && (best_.name.empty() || given_up_->value > best_.value)) {
      attempt(given_up_->plan, true);  // for the sake of the best file
    }
    const std::string wanted = grouped(options_.budget) + " bytes with " + judge_.metric() + formatted(" %.2f", limit_);
    if (best_.name.empty()) {
      tell({}, "nothing");
      refuse(wanted, " was not reached: nothing was small enough", reason_without_training());
    }
    const fs::path file = work_.path(kBest);
    convert_best(file);
    tell(file, kBest);
    refuse(wanted, " was not reached: the best within the budget, ", best_.name, best_.calibrated ? " calibrated" : "",
           ", has ", formatted("%.2f", best_.value), " (", grouped(best_.bytes), " bytes; it is kept as ",
           file.string(), ")", reason_without_training());
  }

  const Options& options_;
  WorkFolder& work_;
  Judge judge_;
  Judgement source_;
  double limit_ = 0;
  Survey survey_;
  std::vector<Plan> plans_;
  Story story_;
  Outcome best_;
  std::optional<GivenUp> given_up_;
  std::set<std::string> told_;
};

// A folder that goes at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "kinglet-plan-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      refuse(pattern, ": cannot be made");
    }
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

void compress(const Options& options) {
  try {
    if (options.plan_only) {
      const TemporaryFolder folder;
      WorkFolder work(folder.path(), settings_of(options), true);
      Runner(options, work).run();
      return;
    }
    // Names that cannot be written are refused before the work.
    for (const fs::path& path : {options.output, options.page}) {
      if (!path.empty()) {
        const convert::OutputFile file(path);
      }
    }
    convert::find_source(options.source);
    WorkFolder work(work_path(options), settings_of(options), options.fresh);
    Runner(options, work).run();
  } catch (const std::bad_alloc&) {
    refuse(options.source.string(), ": there is not enough memory to compress it; what was made is kept in ",
           work_path(options).string());
  } catch (const fs::filesystem_error& error) {
    refuse(error.path1().string(), ": ", error.code().message());
  }
}

}  // namespace kinglet::compress
