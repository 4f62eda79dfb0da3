// The loop, and all that happens between two steps.
#include "train/run.h"

#include <cmath>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <optional>

#include "base/clock.h"
#include "base/text.h"
#include "convert.h"
#include "eval/evaluate.h"
#include "train/batches.h"
#include "train/journal.h"
#include "train/plan.h"
#include "train/prepare.h"
#include "train/runtime_teacher.h"
#include "train/state_file.h"
#include "train/teacher_logits.h"
#include "train/train_report.h"
#include "train/workspace.h"
#include "writer/checkpoint_folder.h"
#include "writer/output_file.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::Clock;
using convert::Json;
using convert::refuse;
using convert::seconds_since;

namespace {

volatile std::sig_atomic_t stop_signal = 0;

extern "C" void remember_signal(int signal) {
  stop_signal = signal;
}

std::string number_text(const char* format, double number) {
  char text[64];
  std::snprintf(text, sizeof(text), format, number);
  return text;
}

// Where a run stands: what the state file says beside the arrays.
struct Position {
  uint64_t step = 0;
  double best = -INFINITY;
  uint64_t best_step = 0;
  uint32_t worse = 0;  // evaluations since the best one
  bool done = false;   // the patience is at its end
};

class Run {
 public:
  Run(const Settings& settings, EngineMaker make_engine)
      : settings_(settings), workspace_(settings), journal_path_(workspace_.path("log.jsonl")) {
    prepared_ = prepare(settings, workspace_, [this](const std::string& line) { ticker_.say(line); });
    EngineOptions options;
    options.kind = prepared_.goal.kind;
    if (prepared_.teacher) {
      options.weights = {settings.label_loss, settings.logit_loss, settings.hidden_loss, settings.attention_loss,
                         settings.temperature};
    }
    read_dropout(&options);
    options.weight_decay = settings.weight_decay;
    options.clip = settings.clip;
    options.threads = settings.threads;
    options.seed = settings.seed;
    options.device = settings.device;
    engine_ = make_engine(prepared_.model, prepared_.teacher ? &*prepared_.teacher : nullptr, options);
    const auto batches = (prepared_.data.examples.size() + settings.batch - 1) / settings.batch;
    plan_ = make_plan(settings, batches, engine_->groups());
    for (size_t i = 0; i < engine_->parameters().size(); ++i) {
      const Parameter& parameter = engine_->parameters()[i];
      size_t size = 1;
      for (const uint32_t dimension : parameter.shape) {
        size *= dimension;
      }
      for (const char* what : {"value ", "first ", "second "}) {
        arrays_.push_back({what + parameter.name, size});
      }
    }
  }

  int run() {
    restore();
    compute_teacher_logits();
    ticker_.say(std::to_string(prepared_.data.examples.size()) + " examples, " + std::to_string(plan_.steps) +
                " steps of " + std::to_string(settings_.batch) + " on " + engine_->device() +
                (position_.step > 0 ? "; going on from step " + std::to_string(position_.step) : ""));
    Journal journal(journal_path_, position_.step);
    started_ = last_state_ = Clock::now();
    std::signal(SIGINT, remember_signal);
    std::signal(SIGTERM, remember_signal);
    std::vector<std::vector<size_t>> batches;
    uint64_t epoch_of_batches = UINT64_MAX;
    while (position_.step < plan_.steps && !position_.done) {
      const uint64_t epoch = position_.step / plan_.batches;
      if (epoch != epoch_of_batches) {
        batches = epoch_batches(prepared_.data.examples, settings_.batch, settings_.seed, epoch);
        epoch_of_batches = epoch;
      }
      step(batches[position_.step % plan_.batches], journal);
      const bool last = position_.step == plan_.steps;
      if (!settings_.dev.empty() && (last || position_.step % plan_.evaluate_every == 0)) {
        evaluate(journal);
        save_state();
      } else if (is_state_due()) {
        save_state();
      }
      if (stop_signal != 0) {
        save_state();
        std::fprintf(stderr, "kinglet-train: stopped at step %llu of %llu; the same command goes on from there\n",
                     static_cast<unsigned long long>(position_.step), static_cast<unsigned long long>(plan_.steps));
        return 1;
      }
    }
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    finish();
    return 0;
  }

 private:
  // ---- The beginning ----

  void read_dropout(EngineOptions* options) const {
    const convert::JsonObject config = convert::JsonObject::load(workspace_.path("start") / "config.json");
    const double hidden = config.real("hidden_dropout_prob", config.real("dropout", 0.1));
    options->dropout = settings_.dropout.value_or(hidden);
    options->attention_dropout =
        settings_.dropout.value_or(config.real("attention_probs_dropout_prob", config.real("attention_dropout", 0.1)));
    options->classifier_dropout = settings_.dropout.value_or(config.real(
        "classifier_dropout", config.real("classifier_dropout_prob", config.real("seq_classif_dropout", hidden))));
  }

  void restore() {
    const auto facts = read_state(workspace_.path("state"), arrays_, [this](size_t i, std::vector<float> numbers) {
      engine_->write(i / 3, static_cast<Moment>(i % 3), numbers);
    });
    if (!facts) {
      return;
    }
    if ((*facts)["examples"] != prepared_.data.examples.size()) {
      refuse("the data has ", prepared_.data.examples.size(), " examples, but the run began with ",
             (*facts)["examples"].dump(), "; --fresh begins anew");
    }
    position_.step = (*facts)["step"].get<uint64_t>();
    position_.best = (*facts)["best"].is_null() ? -INFINITY : (*facts)["best"].get<double>();
    position_.best_step = (*facts)["best_step"].get<uint64_t>();
    position_.worse = (*facts)["worse"].get<uint32_t>();
    position_.done = (*facts)["done"].get<bool>();
    engine_->group_steps() = (*facts)["group_steps"].get<std::vector<uint64_t>>();
  }

  void compute_teacher_logits() {
    if (!prepared_.teacher || settings_.logit_loss <= 0) {
      return;
    }
    const uint32_t outputs = prepared_.teacher->values[engine_->logits_value(true)].width;
    const uint64_t bytes = TeacherLogits::bytes(prepared_.goal.kind, prepared_.data.examples, outputs);
    const bool live = settings_.hidden_loss > 0 || settings_.attention_loss > 0;
    const bool room = bytes <= uint64_t{settings_.cache_megabytes} << 20;
    const bool quick = settings_.teacher_precision == "int8";
    if (quick && !room) {
      refuse("the teacher's logits take ", (bytes >> 20) + 1, " MiB, more than --cache; in int8 they must fit");
    }
    if (live || !room) {
      return;  // the teacher reads every batch anyway
    }
    std::optional<RuntimeTeacher> runtime;
    const auto ask = [&](const Batch& batch) {
      if (!quick) {
        return engine_->value(batch, engine_->logits_value(true), true);
      }
      if (!runtime) {
        runtime.emplace(settings_.teacher, prepared_.goal.kind, prepared_.max_length, settings_.threads);
      }
      return runtime->logits(batch);
    };
    logits_.emplace(ask, prepared_.goal.kind, prepared_.data.examples, outputs, workspace_.path("teacher.logits"),
                    fingerprint(settings_), [this](double fraction) {
                      ticker_.show("asking the teacher: " + number_text("%.0f %%", 100 * fraction));
                    });
  }

  // ---- Steps ----

  void step(const std::vector<size_t>& places, Journal& journal) {
    Batch batch = make_batch(prepared_.goal.kind, prepared_.data.examples, places);
    if (logits_) {
      logits_->fill(batch);
    }
    const std::vector<double> rates = rates_at(settings_, plan_, position_.step);
    const Losses losses = engine_->step(batch, {position_.step, rates});
    if (!std::isfinite(losses.total) || !std::isfinite(losses.gradient_norm)) {
      refuse("step ", position_.step + 1, ": the ", std::isfinite(losses.total) ? "gradient" : "loss",
             " is not a finite number; a lower --lr (it is ", settings_.rate, ") or more --warmup may help");
    }
    ++position_.step;
    sum_ += losses.total;
    texts_ += places.size();
    ++summed_;
    tell(losses, rates.back(), journal);
  }

  void tell(const Losses& losses, double rate, Journal& journal) {
    const double done = seconds_since(started_);
    steps_here_ += 1;
    const double left = done / static_cast<double>(steps_here_) * static_cast<double>(plan_.steps - position_.step);
    const double speed = static_cast<double>(texts_) / std::max(done, 1e-9);
    ticker_.show("step " + std::to_string(position_.step) + " of " + std::to_string(plan_.steps) + ", loss " +
                 number_text("%.4f", sum_ / static_cast<double>(summed_)) + ", " + number_text("%.0f", speed) +
                 " texts/s, " + duration_text(left) + " left");
    constexpr uint64_t kEvery = 10;
    if (position_.step % kEvery != 0 && position_.step != plan_.steps) {
      return;
    }
    Json line = {{"step", position_.step},
                 {"epoch", static_cast<double>(position_.step) / static_cast<double>(plan_.batches)},
                 {"loss", sum_ / static_cast<double>(summed_)},
                 {"rate", rate},
                 {"gradient", losses.gradient_norm},
                 {"texts_per_second", speed}};
    if (prepared_.teacher) {
      line.update(Json{{"labels", losses.labels},
                       {"logits", losses.logits},
                       {"hidden", losses.hidden},
                       {"attention", losses.attention}});
    }
    journal.write(line);
    sum_ = 0;
    summed_ = 0;
  }

  // ---- Keeping ----

  bool is_state_due() const {
    return settings_.checkpoint_steps != 0 ? position_.step % settings_.checkpoint_steps == 0
                                           : seconds_since(last_state_) > 60 * settings_.checkpoint_minutes;
  }

  void save_state() {
    Json facts = {{"step", position_.step},
                  {"examples", prepared_.data.examples.size()},
                  {"best", std::isfinite(position_.best) ? Json(position_.best) : Json(nullptr)},
                  {"best_step", position_.best_step},
                  {"worse", position_.worse},
                  {"done", position_.done},
                  {"group_steps", engine_->group_steps()}};
    write_state(workspace_.path("state"), facts, arrays_,
                [this](size_t i) { return engine_->read(i / 3, static_cast<Moment>(i % 3)); });
    last_state_ = Clock::now();
  }

  // The model as it is now, as a folder.
  convert::CheckpointFolder folder_of_model() const {
    convert::CheckpointFolder folder = convert::read_checkpoint_folder(workspace_.path("start"));
    for (size_t i = 0; i < engine_->parameters().size(); ++i) {
      const Parameter& parameter = engine_->parameters()[i];
      const std::string name = parameter.in_model ? full_name(prepared_.model.architecture, parameter.name) : "";
      for (convert::Tensor& tensor : folder.tensors) {
        if (tensor.name == name) {
          tensor.source = convert::memory_source(engine_->read(i, Moment::value), tensor.shape.back());
        }
      }
    }
    folder.passes.push_back(prepared_.teacher ? "distil" : "finetune");
    return folder;
  }

  // ---- Figures ----

  void evaluate(Journal& journal) {
    const fs::path candidate = workspace_.path("candidate"), file = workspace_.path("candidate.kgl");
    write_checkpoint_folder(folder_of_model(), candidate);
    convert::ConvertOptions options;
    options.source = candidate;
    options.output = file;
    options.precision = "fp32";
    convert::convert(options);
    const auto [metric, figure] = measure(file);
    fs::remove(file);
    const bool better = figure > position_.best;
    if (better) {
      // Were the process killed between these two, it would evaluate again and come to the same.
      fs::remove_all(workspace_.path("best"));
      fs::rename(candidate, workspace_.path("best"));
      position_.best = figure;
      position_.best_step = position_.step;
    }
    position_.worse = better ? 0 : position_.worse + 1;
    position_.done = settings_.patience != 0 && position_.worse >= settings_.patience;
    journal.write({{"step", position_.step},
                   {"epoch", static_cast<double>(position_.step) / static_cast<double>(plan_.batches)},
                   {"dev", {{metric, figure}}},
                   {"best", better}});
    ticker_.say("step " + std::to_string(position_.step) + ": " + metric + " on dev " +
                number_text("%.2f %%", 100 * figure) + (better ? ", the best so far" : "") +
                (position_.done ? "; no better for " + std::to_string(position_.worse) + " evaluations: done" : ""));
  }

  std::pair<std::string, double> measure(const fs::path& file) {
    Result<Model> opened = Model::open(file.c_str());
    if (!opened) {
      refuse(opened.error().message());
    }
    const eval::Data data = eval::read_data(settings_.dev, *opened, file.string());
    eval::PredictOptions options;
    options.threads = settings_.threads;
    options.max_length = prepared_.goal.kind == Kind::answer ? 0 : prepared_.max_length;
    options.progress = [this](double fraction) {
      ticker_.show("evaluating: " + number_text("%.0f %%", 100 * fraction));
    };
    const eval::Predictions predictions = eval::predict(*opened, file.string(), data, options);
    const std::string metric = settings_.metric.empty() ? eval::metrics_of(data.kind).front() : settings_.metric;
    return {metric, eval::Scorer(data, predictions).value(metric).value_or(-1)};
  }

  // ---- The end ----

  void finish() {
    const bool judged = fs::exists(workspace_.path("best"));
    convert::CheckpointFolder folder =
        judged ? convert::read_checkpoint_folder(workspace_.path("best")) : folder_of_model();
    std::ifstream log(journal_path_, std::ios::binary);
    folder.files["training_log.jsonl"] = std::string(std::istreambuf_iterator<char>(log), {});
    // Renamed from here, so that a kill leaves nothing beside the output.
    const fs::path whole = workspace_.path("whole"), output = settings_.output;
    write_checkpoint_folder(folder, whole);
    if (fs::exists(output)) {
      fs::rename(output, workspace_.path("replaced"));
    }
    fs::rename(whole, output);
    std::string line = settings_.output + ": " + std::to_string(position_.step) + " steps in " +
                       duration_text(seconds_since(started_));
    if (judged) {
      line += ", the best on dev " + number_text("%.2f %%", 100 * position_.best) + " at step " +
              std::to_string(position_.best_step);
    }
    if (!settings_.report.empty()) {
      ticker_.say("writing the report");
      write_training_report(settings_, prepared_.max_length);
    }
    std::printf("%s\n", line.c_str());
    workspace_.finish();
  }

  Settings settings_;
  Ticker ticker_;
  Workspace workspace_;
  fs::path journal_path_;
  Prepared prepared_;
  std::unique_ptr<Engine> engine_;
  Plan plan_;
  std::vector<StateArray> arrays_;
  std::optional<TeacherLogits> logits_;
  Position position_;
  Clock::time_point started_, last_state_;
  double sum_ = 0;
  uint64_t summed_ = 0, texts_ = 0, steps_here_ = 0;
};

}  // namespace

int run_training(const Settings& settings, EngineMaker make_engine) {
  try {
    check_settings(settings);
    convert::CheckpointFolder source;
    source.source = settings.source.empty() ? settings.teacher : settings.source;
    check_checkpoint_folder(source, settings.output);
    if (!settings.report.empty()) {
      const convert::OutputFile page(settings.report);  // refused before the work where it cannot be written
    }
    return Run(settings, make_engine).run();
  } catch (const OutOfMemory&) {
  } catch (const std::bad_alloc&) {
  } catch (const fs::filesystem_error& error) {
    refuse(error.path1().string(), ": ", error.code().message());
  }
  refuse("there is not enough memory for batches of ", settings.batch, " texts; lower --batch or --max-length");
}

}  // namespace kinglet::train
