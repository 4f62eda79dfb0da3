// The order of pruning: read, measure, choose, cut and solve, measure again, write.
#include "prune/prune.h"

#include <algorithm>
#include <new>
#include <numeric>
#include <optional>
#include <sstream>

#include "base/text.h"
#include "calibrate/texts.h"
#include "eval/bootstrap.h"
#include "eval/evaluate.h"
#include "eval/timing.h"
#include "prune/budget.h"
#include "prune/pruned_model.h"
#include "prune/trial.h"
#include "source_model.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kTile = 16;         // neurons: the width of a tile of weights
constexpr uint32_t kMostTokens = 128;  // of a text; longer ones are cut
constexpr double kRidge = 1e-2, kEvenness = 0.1;
constexpr double kCurve[] = {0.8, 0.65, 0.5, 0.35, 0.2};
constexpr uint32_t kTimedLengths[] = {16, 128};
constexpr double kTimingSeconds = 1;

std::vector<uint32_t> first_numbers(uint32_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

std::string percent(double share) {
  std::ostringstream text;
  text << share * 100 << " %";
  return text.str();
}

class Pruner {
 public:
  explicit Pruner(const PruneOptions& options)
      : options_(options),
        progress_(options.progress ? options.progress : [](const std::string&, double) {}),
        folder_(read_checkpoint_folder(options.source)),
        source_(read_source_model(options.source, options.task, {}, progress_)),
        layers_(find_layers(source_.model)),
        dense_(source_.model),
        fitting_{kRidge, kEvenness, options.threads} {}

  PruneResult run() {
    check_checkpoint_folder(folder_, options_.output);
    const Trial dense_int8(source_.model, source_.tokenizer.get(), "int8");
    read_texts(dense_int8.model());
    full_ = sizes_of(keep_all(layers_));
    operations_ = count_operations(layers_[0], hidden(), length_);
    const Costs costs = options_.latency ? measure_costs(dense_int8.model()) : operations_;
    if (!options_.dev.empty()) {
      measure("checkpoint, int8", dense_int8.model());
      measure("checkpoint, fp32", Trial(source_.model, source_.tokenizer.get(), "fp32").model());
    }
    importance_ = measure_importance(dense_, layers_, tokens_, objective_of(source_.model), options_.seed,
                                     options_.threads, step("measuring importance", 0.05, 0.2));
    const Orders orders = order_removals(dense_, layers_, tokens_, importance_, fitting_, kTile,
                                         step("ordering heads and neurons", 0.2, 0.4));
    const Network pruned = prune_for(options_.target, orders, costs, dense_int8.model(), true);
    if (options_.curve) {
      for (const double target : kCurve) {
        if (target != options_.target) {
          prune_for(target, orders, costs, dense_int8.model(), false);
        }
      }
      std::sort(result_.curve.begin(), result_.curve.end(),
                [](const CurvePoint& a, const CurvePoint& b) { return a.target > b.target; });
    }
    put_into_folder(pruned, layers_, kept_, folder_);
    folder_.passes.push_back("prune target=" + percent(options_.target) + (options_.latency ? " of time" : "") +
                             " texts=" + std::to_string(result_.texts) + " seed=" + std::to_string(options_.seed));
    write_checkpoint_folder(folder_, options_.output, step("writing", 0.95, 1));
    return std::move(result_);
  }

 private:
  Fraction step(const char* what, double begin, double end) {
    return [this, what, begin, end](double fraction) { progress_(what, begin + (end - begin) * fraction); };
  }

  uint32_t hidden() const { return source_.model.values[layers_[0].in].width; }

  static Sizes sizes_of(const Kept& kept) {
    Sizes sizes;
    for (size_t i = 0; i < kept.heads.size(); ++i) {
      sizes.heads.push_back(static_cast<uint32_t>(kept.heads[i].size()));
      sizes.neurons.push_back(static_cast<uint32_t>(kept.neurons[i].size()));
    }
    return sizes;
  }

  void read_texts(const Model& model) {
    const std::vector<CalibrationInput> inputs = draw_inputs(
        read_calibration_texts(options_.data, source_.model.task == fmt::Task::embed), options_.texts, options_.seed);
    Result<Session> session = Session::create(model);
    for (const CalibrationInput& input : inputs) {
      const Result<kinglet::Tokens> tokens =
          session ? session->tokenize(input.pair ? pair_input(input.text, *input.pair) : text_input(input.text),
                                      std::min(source_.model.max_length, kMostTokens))
                  : session.error();
      if (!tokens) {
        refuse(options_.data.string(), ": a text cannot be made tokens: ", tokens.error().message());
      }
      const auto beyond = [](const std::vector<int32_t>& list, uint32_t count) {
        return std::any_of(list.begin(), list.end(), [count](int32_t x) { return x < 0 || uint32_t(x) >= count; });
      };
      if (beyond(tokens->ids, source_.model.vocabulary) || beyond(tokens->type_ids, source_.model.type_count)) {
        refuse(options_.data.string(), ": the tokenizer gives ids or types that the model does not have");
      }
      if (tokens->ids.empty()) {
        continue;
      }
      tokens_.ids.insert(tokens_.ids.end(), tokens->ids.begin(), tokens->ids.end());
      tokens_.types.insert(tokens_.types.end(), tokens->type_ids.begin(), tokens->type_ids.end());
      tokens_.begins.push_back(static_cast<uint32_t>(tokens_.ids.size()));
    }
    if (tokens_.texts() == 0) {
      refuse(options_.data.string(), ": its texts have no tokens; expected some");
    }
    length_ = static_cast<double>(tokens_.ids.size()) / static_cast<double>(tokens_.texts());
    result_.texts = static_cast<uint32_t>(tokens_.texts());
    result_.tokens = tokens_.ids.size();
  }

  // What the dense model's time becomes when all layers lose half of their heads, or half of their neurons.
  Costs measure_costs(const Model& dense) {
    progress_("timing heads and neurons", 0.03);
    const auto model_of = [&](uint32_t head_divisor, uint32_t neuron_divisor) {
      Network network = dense_;
      Kept kept;
      for (const EncoderLayer& layer : layers_) {
        kept.heads.push_back(first_numbers(std::max(1u, layer.heads / head_divisor)));
        kept.neurons.push_back(first_numbers(std::max(1u, layer.neurons / neuron_divisor)));
        cut_layer(network, layer, kept.heads.back(), kept.neurons.back());
      }
      return pruned_model(source_.model, network, layers_, kept);
    };
    const Trial fewer_heads(model_of(2, 1), source_.tokenizer.get(), "int8");
    const Trial fewer_neurons(model_of(1, 2), source_.tokenizer.get(), "int8");
    const std::vector<eval::CallTime> times =
        eval::time_calls({&dense, &fewer_heads.model(), &fewer_neurons.model()}, static_cast<uint32_t>(length_ + 0.5),
                         3 * kTimingSeconds);
    double heads = 0, neurons = 0;
    for (const EncoderLayer& layer : layers_) {
      heads += layer.heads - std::max(1u, layer.heads / 2);
      neurons += layer.neurons - std::max(1u, layer.neurons / 2);
    }
    Costs costs;
    costs.head = std::max(0.0, times[0].median - times[1].median) / std::max(heads, 1.0);
    costs.neuron = std::max(0.0, times[0].median - times[2].median) / std::max(neurons, 1.0);
    costs.fixed = std::max(0.0, times[0].median - cost_of(full_, costs)) / static_cast<double>(layers_.size());
    return costs;
  }

  // Prunes a copy of the dense model, and measures it where there is something to measure on. For the point that is
  // wanted (`chosen`), the result's layers and figures are those of this one.
  Network prune_for(double target, const Orders& orders, const Costs& costs, const Model& dense_int8, bool chosen) {
    const Sizes sizes = choose_sizes(layers_, full_, orders, costs, target * cost_of(full_, costs));
    Network pruned = dense_;
    Kept kept = keep_all(layers_);
    prune_to(sizes, dense_, layers_, tokens_, importance_, fitting_, kTile, pruned, kept,
             step("reconstructing", chosen ? 0.4 : 0.7, chosen ? 0.7 : 0.95));
    const double operations = cost_of(sizes, operations_) / cost_of(full_, operations_);
    if (chosen) {
      describe(kept, operations);
    }
    if (!options_.dev.empty()) {
      const ModelIR model = pruned_model(source_.model, pruned, layers_, kept);
      const Trial int8(model, source_.tokenizer.get(), "int8");
      const double value = measure(chosen ? "pruned, int8" : "", int8.model());
      const double speed = time(dense_int8, int8.model(), chosen);
      result_.curve.push_back({target, operations, value, speed});
      if (chosen) {
        measure("pruned, fp32", Trial(model, source_.tokenizer.get(), "fp32").model());
      }
    }
    if (chosen) {
      kept_ = std::move(kept);
    }
    return pruned;
  }

  void describe(const Kept& kept, double operations) {
    result_.operations = operations;
    for (size_t i = 0; i < layers_.size(); ++i) {
      PrunedLayer layer;
      layer.name = "layer " + std::to_string(i);
      layer.heads.assign(layers_[i].heads, false);
      for (const uint32_t head : kept.heads[i]) {
        layer.heads[head] = true;
      }
      layer.neurons = layers_[i].neurons;
      layer.neurons_kept = static_cast<uint32_t>(kept.neurons[i].size());
      result_.layers.push_back(std::move(layer));
      const auto parameters = [&](size_t heads, size_t neurons) {
        return heads * layers_[i].head_dim * (4 * size_t{hidden()} + 3) + neurons * (2 * size_t{hidden()} + 1);
      };
      result_.parameters_before += parameters(layers_[i].heads, layers_[i].neurons);
      result_.parameters_after += parameters(kept.heads[i].size(), kept.neurons[i].size());
    }
  }

  // The usual metric on the data to measure on, times 100. An empty `pass` is not entered into the result.
  double measure(const std::string& pass, const Model& model) {
    progress_("measuring", 0.7);
    if (!dev_) {
      dev_ = eval::read_data(options_.dev, model, options_.source.string());
    }
    eval::PredictOptions predict;  // one thread: the texts are short
    const eval::Predictions predictions = eval::predict(model, options_.source.string(), *dev_, predict);
    const eval::Scorer scorer(*dev_, predictions);
    const std::string& metric = eval::metrics_of(dev_->kind).front();
    const std::optional<double> value = scorer.value(metric);
    if (!value) {
      refuse(options_.dev.string(), ": ", metric, " is undefined on it");
    }
    if (!pass.empty()) {
      const auto interval = eval::bootstrap(scorer, metric);
      result_.measurements.push_back({pass, metric, 100 * *value, interval ? 100 * interval->low : 100 * *value,
                                      interval ? 100 * interval->high : 100 * *value, dev_->size()});
    }
    return 100 * *value;
  }

  // How much faster the pruned model is at the texts' mean length.
  double time(const Model& dense, const Model& pruned, bool chosen) {
    if (chosen) {
      for (const uint32_t length : kTimedLengths) {
        if (length <= source_.model.max_length) {
          const std::vector<eval::CallTime> times = eval::time_calls({&dense, &pruned}, length, kTimingSeconds);
          result_.latencies.push_back({std::to_string(length) + " tokens", times[0].median, times[1].median});
        }
      }
    }
    const std::vector<eval::CallTime> times =
        eval::time_calls({&dense, &pruned}, static_cast<uint32_t>(length_ + 0.5), kTimingSeconds);
    return times[0].median / times[1].median;
  }

  const PruneOptions& options_;
  std::function<void(const std::string& what, double fraction)> progress_;
  CheckpointFolder folder_;
  SourceModel source_;
  std::vector<EncoderLayer> layers_;
  Network dense_;
  Fitting fitting_;
  Tokens tokens_;
  double length_ = 0;  // mean, of the texts
  std::optional<eval::Data> dev_;
  Sizes full_;
  Costs operations_;
  Importance importance_;
  Kept kept_;
  PruneResult result_;
};

}  // namespace

PruneResult prune(const PruneOptions& options) {
  if (!(options.target > 0 && options.target < 1)) {
    refuse("the target is ", options.target, ", expected a share above 0 and below 1");
  }
  if (options.curve && options.dev.empty()) {
    refuse("a curve needs data to measure on");
  }
  try {
    return Pruner(options).run();
  } catch (const std::bad_alloc&) {
    refuse(options.source.string(), ": there is not enough memory to prune it");
  }
}

}  // namespace kinglet::convert
