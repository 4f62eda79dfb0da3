// Counting, laying out, timing.
#include "compress/survey.h"

#include <algorithm>
#include <fstream>
#include <numeric>
#include <optional>

#include "base/clock.h"
#include "base/parallel.h"
#include "base/text.h"
#include "calibrate/texts.h"
#include "compress/sizes.h"
#include "prune/layers.h"
#include "prune/matmul.h"
#include "prune/prune.h"
#include "prune/vocabulary.h"
#include "report/converted_model.h"
#include "train/launch.h"
#include "train/start.h"
#include "train/student.h"

namespace kinglet::compress {

namespace fs = std::filesystem;
using convert::Clock;
using convert::Json;
using convert::ModelIR;
using convert::refuse;
using convert::seconds_since;

namespace {

constexpr uint32_t kMinCounts[] = {1, 5, 10, 20};
constexpr double kFewerTokens = 0.98;  // a vocabulary that keeps more is not worth a pass
constexpr uint32_t kProbeSteps = 8;
constexpr double kProbeSeconds = 1;
constexpr uint32_t kEvaluations = 2;

// Multiplications a second of the host's matrix product on all threads together, with whatever else the machine does.
double multiply_rate(size_t threads) {
  constexpr size_t kSize = 256;
  const std::vector<float> a(kSize * kSize, 0.5f), b(kSize * kSize, 0.25f);
  const convert::PackedMatrix packed({b.data(), kSize, 1}, kSize, kSize);
  std::vector<double> rates(threads);
  convert::parallel_for(threads, threads, [&](size_t thread) {
    std::vector<float> c(kSize * kSize);
    const auto begin = Clock::now();
    double done = 0;
    do {
      convert::multiply({a.data(), kSize, 1}, kSize, packed, c.data(), kSize);
      done += static_cast<double>(kSize) * kSize * kSize;
    } while (seconds_since(begin) < kProbeSeconds);
    rates[thread] = done / seconds_since(begin);
  });
  return std::accumulate(rates.begin(), rates.end(), 0.0);
}

class Surveyor {
 public:
  Surveyor(const Options& options, const Judgement& source, WorkFolder& work)
      : options_(options),
        judged_(source),
        work_(work),
        source_(convert::read_source_model(options.source, std::nullopt, {}, options.progress)) {}

  Survey run() {
    Facts& facts = survey_.facts;
    facts.budget = options_.budget;
    const uint64_t tokenizer = source_.tokenizer ? tokenizer_bytes(*source_.tokenizer) : 0;
    other_ = judged_.bytes - std::min(judged_.bytes, weight_bytes(source_.model) + tokenizer);
    facts.source = file_bytes(source_.model, other_);
    facts.calibration_bytes = calibration_bytes(source_.model);
    facts.vocabularies = {{0, source_.model.vocabulary, tokenizer}};
    facts.rates.convert = judged_.convert_seconds;
    facts.rates.evaluate = judged_.evaluate_seconds;
    count_texts();
    count_tokens();
    if (work_.note("multiply_rate") == nullptr) {
      options_.progress("timing this machine", 0);
      work_.set_note("multiply_rate", multiply_rate(options_.threads));
    }
    rate_ = work_.note("multiply_rate")->get<double>();
    look_at_layers();
    look_at_training();
    return std::move(survey_);
  }

 private:
  void note(const std::string& what, const std::string& why) { survey_.notes.push_back(what + ": " + why); }

  // ---- Texts and tokens ----

  void count_texts() {
    const Json* known = work_.note("texts");
    if (known == nullptr) {
      options_.progress("reading the texts", 0);
      const convert::CalibrationTexts texts = convert::read_calibration_texts(options_.data, false);
      work_.set_note("texts", {{"count", texts.inputs.size()}, {"mean", mean_tokens(texts)}});
      known = work_.note("texts");
    }
    texts_ = (*known)["count"].get<double>();
    length_ = (*known)["mean"].get<double>();
  }

  double mean_tokens(const convert::CalibrationTexts& texts) {
    convert::ConvertOptions as_it_is;
    as_it_is.source = options_.source;
    const convert::ConvertedModel converted(as_it_is, "the checkpoint in int8");
    Result<Session> session = Session::create(converted.model());
    if (!session) {
      refuse(session.error().message());
    }
    double tokens = 0;
    const auto drawn = convert::draw_inputs(texts, convert::kPruneTexts, options_.seed);
    for (const convert::CalibrationInput& input : drawn) {
      const Result<Tokens> result =
          session->tokenize(input.pair ? pair_input(input.text, *input.pair) : text_input(input.text));
      if (!result) {
        refuse(options_.data.string(), ": ", result.error().message());
      }
      tokens += std::min<double>(static_cast<double>(result->ids.size()), convert::kPruneTokens);
    }
    return tokens / static_cast<double>(drawn.size());
  }

  // The model and its tokens in the texts, which serve all choices.
  struct Counted {
    convert::CheckpointFolder checkpoint;
    convert::TokenCounts counts;
    double seconds = 0;
  };

  void count_tokens() {
    std::optional<Counted> counted;
    for (const uint32_t min_count : kMinCounts) {
      const std::string name = "tokens-" + std::to_string(min_count);
      if (work_.note(name) == nullptr) {
        try {
          if (!counted) {
            counted = count_all();
          }
          work_.set_note(name, keep_tokens(*counted, min_count, work_.path(name)));
        } catch (const convert::Error& error) {
          note("the vocabulary stays", error.what());
          return;
        }
      }
      const Json& known = *work_.note(name);
      const VocabularyChoice choice = {min_count, known["tokens"].get<uint32_t>(),
                                       known["tokenizer_bytes"].get<uint64_t>()};
      survey_.facts.rates.vocabulary = known["seconds"].get<double>();
      if (choice.tokens < kFewerTokens * survey_.facts.vocabularies.back().tokens) {
        survey_.facts.vocabularies.push_back(choice);
      }
    }
  }

  Counted count_all() {
    options_.progress("counting tokens", 0);
    const auto begin = Clock::now();
    Counted counted;
    counted.checkpoint = convert::read_checkpoint_folder(options_.source);
    counted.counts = convert::count_tokens(counted.checkpoint, options_.data,
                                           [this](double fraction) { options_.progress("counting tokens", fraction); });
    counted.seconds = seconds_since(begin);
    return counted;
  }

  Json keep_tokens(const Counted& counted, uint32_t min_count, const fs::path& folder) {
    const auto begin = Clock::now();
    convert::CheckpointFolder checkpoint = counted.checkpoint;
    const convert::VocabularyResult result = convert::prune_vocabulary(checkpoint, counted.counts, min_count);
    checkpoint.tensors.clear();
    convert::write_checkpoint_folder(checkpoint, folder);
    const auto tokenizer = convert::compile_tokenizer(folder / checkpoint.transformer);
    fs::remove_all(folder);
    return {{"tokens", result.after},
            {"tokenizer_bytes", tokenizer ? tokenizer_bytes(*tokenizer) : 0},
            {"seconds", counted.seconds + seconds_since(begin)}};
  }

  // ---- Heads and neurons ----

  void look_at_layers() {
    Facts& facts = survey_.facts;
    try {
      facts.encoder = encoder_bytes(source_.model, length_);
    } catch (const convert::Error& error) {
      note("heads and neurons stay", error.what());
      return;
    }
    // Forwards and back for importance, forwards for the order, twice forwards while fitting; sums of products of what
    // the last matrices read; and as many systems of equations.
    const std::vector<convert::EncoderLayer> layers = convert::find_layers(source_.model);
    const double tokens = std::min<double>(texts_, convert::kPruneTexts) * length_;
    double work = 6 * tokens * matrix_work(source_.model);
    for (const convert::EncoderLayer& layer : layers) {
      for (const double inputs : {1.0 * layer.heads * layer.head_dim, 1.0 * layer.neurons}) {
        work += tokens * inputs * inputs + 6 * inputs * inputs * inputs;
      }
    }
    facts.rates.prune = work / rate_;
  }

  // ---- Training ----

  void look_at_training() {
    Facts& facts = survey_.facts;
    // Sums of products of what every matrix reads, and an elimination of it.
    double work = 0;
    for (const convert::Matrix& matrix : source_.model.matrices) {
      const auto inputs = static_cast<double>(source_.model.tensors[matrix.weight].columns());
      work += 3 * inputs * inputs * inputs;
    }
    facts.rates.calibrate = facts.rates.convert + work / rate_;
    facts.rates.write = facts.rates.convert / 2;
    ModelIR model;
    train::Goal goal;
    try {
      model = train::load_model(options_.source);
      train::check_trainable(model, options_.source.string());
      goal = train::goal_of(model, options_.source.string());
    } catch (const convert::Error& error) {
      note("nothing is trained", error.what());
      return;
    }
    if (!options_.trainer) {
      note("nothing is trained", train::kGetTrainer);
      return;
    }
    if (!probe_training()) {
      return;
    }
    facts.trains = true;
    const double whole = matrix_work(source_.model);
    uint32_t layers = 0;
    for (const convert::Op& op : model.program) {
      layers += std::holds_alternative<convert::AttentionOp>(op);
    }
    std::vector<std::string> shapes;
    for (uint32_t count = layers; count-- > 1;) {
      shapes.push_back("layers=" + std::to_string(count));
    }
    shapes.insert(shapes.end(), {"bert-small", "bert-mini", "bert-tiny"});
    for (const std::string& text : shapes) {
      options_.progress("laying out students", 0);
      const train::StudentShape shape = train::complete_shape(train::parse_student(text), model);
      const ModelIR student = shapes_of(train::start_student(options_.source, model, goal, shape, options_.seed));
      const double share = matrix_work(student) / whole;
      if (share < 1) {
        facts.students.push_back({text, file_bytes(student, other_), share});
      }
    }
  }

  // A few steps of recovering the model that was not pruned, with a teacher that reads along.
  bool probe_training() {
    const Json* known = work_.note("training");
    if (known == nullptr) {
      options_.say("timing " + std::to_string(kProbeSteps) + " steps of training");
      const fs::path output = work_.path("probe");
      train::Settings settings = recover_settings(options_, options_.source, output);
      settings.dev.clear();
      settings.max_steps = kProbeSteps;
      settings.fresh = true;
      fs::remove_all(output);
      const auto begin = Clock::now();
      if (train::run_trainer(*options_.trainer, settings) != 0) {
        note("nothing is trained", "kinglet-train could not learn from this data; its message stands above");
        fs::remove_all(output.string() + ".training");
        return false;
      }
      const double took = seconds_since(begin);
      double speed = 0;
      std::ifstream log(output / "training_log.jsonl");
      for (std::string line; std::getline(log, line);) {
        const Json entry = Json::parse(line, nullptr, false);
        speed = entry.is_object() ? entry.value("texts_per_second", speed) : speed;
      }
      fs::remove_all(output);
      if (!(speed > 0)) {
        refuse("kinglet-train left no speed in its log");
      }
      const double steps = kProbeSteps * settings.batch / speed;
      work_.set_note("training", {{"texts_per_second", speed}, {"start_seconds", std::max(took - steps, 0.0)}});
      known = work_.note("training");
    }
    constexpr double kForwards = 4;  // of the teacher one, of the student one and twice as much back
    survey_.facts.rates.pass = texts_ / (*known)["texts_per_second"].get<double>() / kForwards;
    survey_.facts.rates.epoch_start = (*known)["start_seconds"].get<double>();
    return true;
  }

  const Options& options_;
  const Judgement& judged_;
  WorkFolder& work_;
  convert::SourceModel source_;
  Survey survey_;
  uint64_t other_ = 0;  // bytes that are neither weights nor tokenizer
  double texts_ = 0, length_ = 0;
  double rate_ = 0;  // multiplications a second
};

train::Settings common_settings(const Options& options, const fs::path& output) {
  train::Settings settings;
  settings.teacher = options.source.string();
  settings.data = {options.data.string()};
  settings.dev = options.dev.string();
  settings.output = output.string();
  settings.evaluations = kEvaluations;
  settings.seed = options.seed;
  settings.threads = options.threads;
  settings.device = options.device;
  return settings;
}

}  // namespace

train::Settings recover_settings(const Options& options, const fs::path& pruned, const fs::path& output) {
  train::Settings settings = common_settings(options, output);
  settings.source = pruned.string();
  settings.epochs = 1;
  settings.rate = 5e-5;
  settings.hidden_loss = 1;
  return settings;
}

train::Settings distill_settings(const Options& options, const std::string& student, const fs::path& output) {
  train::Settings settings = common_settings(options, output);
  settings.student = student;
  settings.epochs = kStudentEpochs;
  settings.rate = 2e-4;
  return settings;
}

Survey survey(const Options& options, const Judgement& source, WorkFolder& work) {
  return Surveyor(options, source, work).run();
}

}  // namespace kinglet::compress
