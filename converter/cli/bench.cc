// kinglet bench: how fast a model runs here, next to what this machine can do at most.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <optional>
#include <random>

#include "base/clock.h"
#include "cli/probe.h"
#include "cli/progress.h"
#include "cli/random_model.h"
#include "cli/stream.h"
#include "cli/task.h"
#include "cli/text.h"
#include "cli/workload.h"

namespace kinglet::cli {

using convert::Clock;
using convert::milliseconds_since;

namespace {

constexpr double kWarmUpSeconds = 0.1;
constexpr double kMeasureSeconds = 0.6;
constexpr size_t kLeastRuns = 5;

struct Row {
  uint32_t length = 0;
  size_t runs = 0;
  double least = 0, median = 0;  // milliseconds a call
  double operations = 0;         // a call
  double limit = 0;              // milliseconds that a call takes at least here; 0: not known
};

class BenchCommand : public Command {
 public:
  const char* name() const override { return "bench"; }
  const char* summary() const override { return "Measure the speed of a model here"; }
  const char* arguments() const override { return "[M.kgl]"; }
  const char* manual() const override {
    return "Times a model on random token ids of the given lengths; with --shape a model of a well-known shape with\n"
           "random weights, made on the spot: bert-base, distilbert, minilm-l6 or bert-tiny. Tokenization is not\n"
           "part of it. Each length is warmed up and then timed for at least 0.6 seconds and 5 calls.\n"
           "\n"
           "GOP/s counts the additions and multiplications of all matrix products and of attention, at the median\n"
           "time. The peak is what a loop of the kernel path's own multiply-add instruction reaches on registers;\n"
           "bandwidth is what a mapped file of the size of the matrices can be read with; both, and the costs of a\n"
           "softmax element and of a GELU-and-quantise element, are measured in the same run on as many threads.\n"
           "The limit of an int8 call is the larger of operations / peak + softmax elements · their cost + GELU\n"
           "elements · their cost, and of bytes of the matrices / bandwidth. Its shares are those of the best and of\n"
           "the median time.\n"
           "\n"
           "Output: a table. With --json one object:\n"
           "  {\"model\":…,\"precision\":…,\"isa\":…,\"threads\":1,\"batch\":1,\"load_ms\":…,\"session_ms\":…,\n"
           "   \"session_bytes\":…,\"matrix_bytes\":…,\"peak_gops\":… or null,\"peak_instruction\":…,\n"
           "   \"softmax_ns\":…,\"gelu_ns\":…,\"read_gbs\":…,\n"
           "   \"results\":[{\"length\":16,\"runs\":…,\"min_ms\":…,\"median_ms\":…,\"tokens_per_second\":…,\n"
           "                \"gops\":…,\"peak_share\":… or null,\"limit_ms\":… or null,\"limit_share\":… or null,\n"
           "                \"limit_share_best\":… or null}]}\n"
           "\n"
           "Examples:\n"
           "  kinglet bench minilm.kgl --lengths 16,64,256\n"
           "  kinglet bench --shape bert-base --threads 2 --json";
  }

  void add_options(CLI::App& app) override {
    app.add_option("--shape", shape_, "bert-base, distilbert, minilm-l6 or bert-tiny, instead of M.kgl")
        ->type_name("NAME")
        ->check(CLI::IsMember({"bert-base", "distilbert", "minilm-l6", "bert-tiny"}));
    app.add_option("--precision", precision_, "Of --shape: int8 (default) or fp32")
        ->type_name("P")
        ->check(CLI::IsMember({"int8", "fp32"}));
    app.add_option("--lengths", lengths_, "Tokens per sequence (default 16,32,64,128,256, up to the model's limit)")
        ->type_name("N,N,…");
    add_number(app, "--batch", &batch_, 65536, "Sequences per call (default 1)");
    add_number(app, "--threads", &threads_, 1024, "Compute with N threads (default 1)");
    app.add_flag("--json", json_, "Print a JSON object");
  }

  int run(const std::vector<std::string>& arguments) override {
    check_arguments(*this, arguments, 0, 1);
    if (arguments.empty() != shape_.has_value()) {
      throw UsageError(arguments.empty() ? "no model; expected M.kgl or --shape NAME"
                                         : "both a model and --shape; expected one of them");
    }
    if (precision_ && !shape_) {
      throw UsageError("--precision goes with --shape; a model file has its own");
    }
    std::vector<uint32_t> lengths;
    if (lengths_) {
      lengths = parse_numbers(*lengths_, "--lengths", 1u << 20);
    }
    std::optional<RandomModel> random;
    if (shape_) {
      random.emplace(*find_shape(*shape_), precision_.value_or("int8") == "int8");
    }
    const std::string file = random ? random->path().string() : arguments[0];
    const auto load_begin = Clock::now();
    const Model model = open_model(file);
    load_ms_ = milliseconds_since(load_begin);
    const Workload workload = Workload::of_file(file);
    random.reset();  // both keep the file open; nothing is left behind when this run is interrupted
    const std::string path = shape_ ? *shape_ : file;

    const uint32_t limit = model.info().max_length;
    if (lengths.empty()) {
      for (const uint32_t length : {16u, 32u, 64u, 128u, 256u}) {
        if (length <= limit || lengths.empty()) {
          lengths.push_back(std::min(length, limit));
        }
      }
    }
    const uint32_t longest = *std::max_element(lengths.begin(), lengths.end());
    if (longest > limit) {
      throw UsageError(format("--lengths: %u is above this model's limit of %u tokens", longest, limit));
    }
    SessionOptions options;
    options.threads = threads_;
    options.batch = batch_;
    options.max_length = longest;
    const kinglet_task task = model.info().task;
    options.raw_outputs = task != KINGLET_TASK_EMBED && task != KINGLET_TASK_CLASSIFY;
    const auto session_begin = Clock::now();
    Session session = create_session(model, options, path);
    session_ms_ = milliseconds_since(session_begin);

    std::vector<Row> rows;
    {
      Progress progress;
      for (const uint32_t length : lengths) {
        progress.show(format("length %u", length),
                      static_cast<double>(rows.size()) / static_cast<double>(lengths.size()));
        rows.push_back(measure(session, length));
        rows.back().operations = workload.operations(length, batch_);
      }
      progress.show("peak of this machine", 1);
      const bool int8 = std::string_view(model.info().precision) == "int8";
      peak_ = int8 ? probe_int8(std::string(isa()), threads_) : probe_fp32(threads_);
      costs_ = probe_elements(threads_);
      bandwidth_ = probe_bandwidth(workload.matrix_bytes(), threads_);
      for (Row& row : rows) {
        if (int8 && peak_.gops > 0 && bandwidth_ > 0) {
          const double computing = row.operations / peak_.gops / 1e6 +
                                   workload.softmax_elements(row.length, batch_) * costs_.softmax * 1e3 +
                                   workload.activation_elements(row.length, batch_) * costs_.gelu * 1e3;
          const double reading = static_cast<double>(workload.matrix_bytes()) / bandwidth_ / 1e6;
          row.limit = std::max(computing, reading);
        }
      }
    }
    output().write(json_ ? json(path, model, session, workload, rows) : table(path, model, session, workload, rows));
    output().flush();
    return kExitGood;
  }

 private:
  Row measure(Session& session, uint32_t length) {
    std::mt19937 random(1);
    const kinglet_model_info info = session.info();
    std::vector<int32_t> ids(size_t{length} * batch_);
    for (int32_t& id : ids) {
      id = static_cast<int32_t>(random() % info.vocabulary);
    }
    std::vector<Input> inputs;
    for (uint32_t i = 0; i < batch_; ++i) {
      inputs.push_back(ids_input(ids.data() + size_t{i} * length, length));
    }
    std::vector<float> results(size_t{std::max(info.embedding_size, info.label_count)} * batch_);
    const auto call = [&] {
      const Result<void> result =
          info.task == KINGLET_TASK_EMBED      ? session.embed(inputs.data(), inputs.size(), results.data())
          : info.task == KINGLET_TASK_CLASSIFY ? session.classify(inputs.data(), inputs.size(), results.data())
                                               : session.encode(inputs.data(), inputs.size());
      if (!result) {
        throw InputError(format("length %u: ", length) + result.error().message());
      }
    };
    const auto warm_up = Clock::now();
    do {
      call();
    } while (milliseconds_since(warm_up) < kWarmUpSeconds * 1e3);
    std::vector<double> times;
    const auto begin = Clock::now();
    while (times.size() < kLeastRuns || milliseconds_since(begin) < kMeasureSeconds * 1e3) {
      const auto from = Clock::now();
      call();
      times.push_back(milliseconds_since(from));
    }
    std::sort(times.begin(), times.end());
    Row row;
    row.length = length;
    row.runs = times.size();
    row.least = times.front();
    row.median = times[times.size() / 2];
    return row;
  }

  double tokens_per_second(const Row& row) const { return 1e3 * row.length * batch_ / row.median; }
  double gops(const Row& row) const { return row.operations / row.median / 1e6; }

  std::string table(const std::string& path, const Model& model, const Session& session, const Workload& workload,
                    const std::vector<Row>& rows) const {
    std::string out = shorten(path, SIZE_MAX) + (shape_ ? " (random weights)" : "") + ": " + model.info().precision +
                      ", " + std::string(isa()) + format(", threads %u, sequences per call %u\n", threads_, batch_);
    out += format("open and check %.1f ms, session %.1f ms and %s bytes; matrices %s bytes\n", load_ms_, session_ms_,
                  group_digits(session.memory()).c_str(), group_digits(workload.matrix_bytes()).c_str());
    out += peak_.gops > 0 ? format("measured here: peak %.0f GOP/s (%s), ", peak_.gops, peak_.instruction.c_str())
                          : "measured here: no peak is known for this path, ";
    out += format("softmax %.3f ns and GELU with quantisation %.3f ns an element, reading %.1f GB/s\n\n",
                  costs_.softmax * 1e9, costs_.gelu * 1e9, bandwidth_);
    out += " length   min ms  median ms   tokens/s    GOP/s  of peak   limit ms  of limit: best   median\n";
    for (const Row& row : rows) {
      out += format("%7u %8.3f %10.3f %10.0f %8.1f", row.length, row.least, row.median, tokens_per_second(row),
                    gops(row)) +
             (peak_.gops > 0 ? format("  %5.1f %%", 100 * gops(row) / peak_.gops) : "        -") +
             (row.limit > 0 ? format(" %10.3f %14.1f %%  %5.1f %%\n", row.limit, 100 * row.limit / row.least,
                                     100 * row.limit / row.median)
                            : "          -                -        -\n");
    }
    return out;
  }

  std::string json(const std::string& path, const Model& model, const Session& session, const Workload& workload,
                   const std::vector<Row>& rows) const {
    std::string out = "{\"model\":";
    append_json(out, path);
    out += ",\"random_weights\":" + std::string(shape_ ? "true" : "false") + ",\"precision\":";
    append_json(out, model.info().precision);
    out += ",\"isa\":";
    append_json(out, isa());
    out += format(",\"threads\":%u,\"batch\":%u,\"load_ms\":%.6g,\"session_ms\":%.6g,\"session_bytes\":%zu", threads_,
                  batch_, load_ms_, session_ms_, session.memory());
    out += ",\"matrix_bytes\":" + std::to_string(workload.matrix_bytes());
    out += ",\"peak_gops\":" + (peak_.gops > 0 ? format("%.6g", peak_.gops) : "null") + ",\"peak_instruction\":";
    append_json(out, peak_.instruction);
    out += format(",\"softmax_ns\":%.6g,\"gelu_ns\":%.6g,\"read_gbs\":%.6g,\"results\":[", costs_.softmax * 1e9,
                  costs_.gelu * 1e9, bandwidth_);
    for (const Row& row : rows) {
      out +=
          format("%s{\"length\":%u,\"runs\":%zu,\"min_ms\":%.6g,\"median_ms\":%.6g,\"tokens_per_second\":%.6g",
                 &row == rows.data() ? "" : ",", row.length, row.runs, row.least, row.median, tokens_per_second(row)) +
          format(",\"gops\":%.6g,\"peak_share\":", gops(row)) +
          (peak_.gops > 0 ? format("%.4g", gops(row) / peak_.gops) : "null") +
          (row.limit > 0 ? format(",\"limit_ms\":%.6g,\"limit_share\":%.4g,\"limit_share_best\":%.4g}", row.limit,
                                  row.limit / row.median, row.limit / row.least)
                         : ",\"limit_ms\":null,\"limit_share\":null,\"limit_share_best\":null}");
    }
    return out + "]}\n";
  }

  std::optional<std::string> shape_, precision_, lengths_;
  uint32_t batch_ = 1;
  uint32_t threads_ = 1;
  bool json_ = false;
  double load_ms_ = 0, session_ms_ = 0, bandwidth_ = 0;
  Peak peak_;
  ElementCosts costs_;
};

}  // namespace

std::unique_ptr<Command> make_bench_command() {
  return std::make_unique<BenchCommand>();
}

}  // namespace kinglet::cli
