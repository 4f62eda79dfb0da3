// Measure, choose, cut and solve, measure again.
#include "prune/encoder.h"

#include <algorithm>
#include <numeric>
#include <sstream>

#include "base/text.h"
#include "calibrate/texts.h"
#include "eval/timing.h"
#include "prune/budget.h"
#include "prune/depth.h"
#include "prune/pruned_model.h"
#include "prune/trial.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kTile = 16;  // neurons: the width of a tile of weights
constexpr double kRidge = 1e-2, kEvenness = 0.1;
constexpr double kCurve[] = {0.8, 0.65, 0.5, 0.35, 0.2};
constexpr uint32_t kTimedLengths[] = {16, 128};
constexpr double kTimingSeconds = 4;

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

Sizes sizes_of(const Kept& kept) {
  Sizes sizes;
  for (size_t i = 0; i < kept.heads.size(); ++i) {
    sizes.heads.push_back(static_cast<uint32_t>(kept.heads[i].size()));
    sizes.neurons.push_back(static_cast<uint32_t>(kept.neurons[i].size()));
  }
  return sizes;
}

class EncoderPruner {
 public:
  EncoderPruner(const PruneOptions& options, const SourceModel& source, Gauge& gauge, PruneResult* result)
      : options_(options),
        source_(source),
        gauge_(gauge),
        result_(*result),
        layers_(find_layers(source.model)),
        dense_(source.model),
        fitting_{kRidge, kEvenness, options.threads},
        objective_(objective_of(source.model)),
        full_(sizes_of(keep_all(layers_))),
        dense_int8_(source.model, source.tokenizer.get(), "int8") {}

  void run(CheckpointFolder& folder) {
    read_texts();
    operations_ = count_operations(layers_[0], source_.model.values[layers_[0].in].width, length_);
    importance_ = measure_importance(dense_, layers_, tokens_, objective_, options_.seed, options_.threads,
                                     step("measuring importance", 0.05, 0.2));
    const Sizes shorter = without_least_layers();
    const Pruned pruned = options_.target ? prune_to_target(shorter) : cut(shorter, 0.3, 0.7);
    show(pruned);
    put_into_folder(pruned.network, layers_, pruned.kept, folder);
    folder.passes.push_back(description());
  }

 private:
  struct Pruned {
    Network network;
    Kept kept;
  };

  Fraction step(const char* what, double begin, double end) {
    return [this, what, begin, end](double fraction) { options_.progress(what, begin + (end - begin) * fraction); };
  }

  std::string description() const {
    return "prune" +
           (options_.layers ? " layers=" + std::to_string(*options_.layers) + "/" + std::to_string(layers_.size())
                            : std::string()) +
           (options_.target ? " target=" + percent(*options_.target) + (options_.latency ? " of time" : "")
                            : std::string()) +
           " texts=" + std::to_string(result_.texts) + " seed=" + std::to_string(options_.seed);
  }

  void read_texts() {
    const std::vector<CalibrationInput> inputs = draw_inputs(
        read_calibration_texts(options_.data, source_.model.task == fmt::Task::embed), options_.texts, options_.seed);
    Result<Session> session = Session::create(dense_int8_.model());
    for (const CalibrationInput& input : inputs) {
      const Result<kinglet::Tokens> tokens =
          session ? session->tokenize(input.pair ? pair_input(input.text, *input.pair) : text_input(input.text),
                                      std::min(source_.model.max_length, kPruneTokens))
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

  Sizes without_least_layers() {
    Sizes sizes = full_;
    if (options_.layers) {
      const std::vector<bool> kept = choose_layers(dense_, layers_, tokens_, objective_, *options_.layers,
                                                   options_.threads, step("choosing layers", 0.2, 0.3));
      for (size_t i = 0; i < kept.size(); ++i) {
        if (!kept[i]) {
          sizes.heads[i] = sizes.neurons[i] = 0;
        }
      }
    }
    return sizes;
  }

  Pruned cut(const Sizes& sizes, double begin, double end) {
    Pruned pruned = {dense_, keep_all(layers_)};
    prune_to(sizes, dense_, layers_, tokens_, importance_, fitting_, kTile, pruned.network, pruned.kept,
             step("reconstructing", begin, end));
    return pruned;
  }

  Pruned prune_to_target(const Sizes& present) {
    const Costs costs = options_.latency ? measure_costs() : operations_;
    const double all = cost_of(full_, costs), left = cost_of(present, costs);
    const auto has_effect = [&](double target) { return !options_.layers || target * all < left; };
    if (!has_effect(*options_.target)) {
      refuse("the ", *options_.layers, " layers that stay are ", percent(left / all), " of the encoder's ",
             options_.latency ? "time" : "operations", ", so a target of ", percent(*options_.target),
             " takes nothing more; expected a smaller one, or layers alone");
    }
    const Fraction ordering = step("ordering heads and neurons", 0.3, 0.45);
    const Orders orders =
        options_.layers ? order_removals(cut(present, 0.25, 0.3).network, layers_, present, tokens_, importance_,
                                         fitting_, kTile, ordering)
                        : order_removals(dense_, layers_, present, tokens_, importance_, fitting_, kTile, ordering);
    const auto at = [&](double target, double begin, double end) {
      return cut(choose_sizes(layers_, present, orders, costs, target * all), begin, end);
    };
    Pruned chosen = at(*options_.target, 0.45, 0.7);
    if (options_.curve) {
      result_.curve.push_back({1, 1, gauge_.value(dense_int8_.model()), 1});
    }
    for (const double target : kCurve) {
      if (options_.curve && target != *options_.target && has_effect(target)) {
        const Pruned other = at(target, 0.75, 0.95);
        const Trial int8(pruned_model(source_.model, other.network, layers_, other.kept), source_.tokenizer.get(),
                         "int8");
        add_point(target, other.kept, int8.model(), gauge_.value(int8.model()));
      }
    }
    return chosen;
  }

  // What the dense model's time becomes when all layers lose half of their heads, or half of their neurons, or when
  // half of the layers are gone.
  Costs measure_costs() {
    options_.progress("timing heads and neurons", 0.03);
    const auto model_of = [&](uint32_t head_divisor, uint32_t neuron_divisor) {
      Pruned pruned = {dense_, {}};
      for (const EncoderLayer& layer : layers_) {
        pruned.kept.heads.push_back(first_numbers(std::max(1u, layer.heads / head_divisor)));
        pruned.kept.neurons.push_back(first_numbers(std::max(1u, layer.neurons / neuron_divisor)));
        cut_layer(pruned.network, layer, pruned.kept.heads.back(), pruned.kept.neurons.back());
      }
      return pruned_model(source_.model, pruned.network, layers_, pruned.kept);
    };
    const size_t removed = layers_.size() / 2;
    Kept lower = keep_all(layers_);
    for (size_t i = layers_.size() - removed; i < layers_.size(); ++i) {
      lower.heads[i].clear();
      lower.neurons[i].clear();
    }
    const Trial fewer_heads(model_of(2, 1), source_.tokenizer.get(), "int8");
    const Trial fewer_neurons(model_of(1, 2), source_.tokenizer.get(), "int8");
    const Trial fewer_layers(pruned_model(source_.model, dense_, layers_, lower), source_.tokenizer.get(), "int8");
    const std::vector<eval::CallTime> times =
        eval::time_calls({&dense_int8_.model(), &fewer_heads.model(), &fewer_neurons.model(), &fewer_layers.model()},
                         static_cast<uint32_t>(length_ + 0.5), kTimingSeconds);
    const auto saved = [&](size_t model, double parts) {
      return std::max(0.0, times[0].median - times[model].median) / std::max(parts, 1.0);
    };
    double heads = 0, neurons = 0;
    for (const EncoderLayer& layer : layers_) {
      heads += layer.heads - std::max(1u, layer.heads / 2);
      neurons += layer.neurons - std::max(1u, layer.neurons / 2);
    }
    Costs costs;
    costs.head = saved(1, heads);
    costs.neuron = saved(2, neurons);
    const EncoderLayer& last = layers_.back();
    costs.layer =
        std::max(0.0, saved(3, static_cast<double>(removed)) - last.heads * costs.head - last.neurons * costs.neuron);
    costs.rest = std::max(0.0, times[0].median - cost_of(full_, costs));
    return costs;
  }

  double operations_of(const Kept& kept) const {
    return cost_of(sizes_of(kept), operations_) / cost_of(full_, operations_);
  }

  void add_point(double target, const Kept& kept, const Model& int8, double value) {
    const double faster = speed(dense_int8_.model(), int8, static_cast<uint32_t>(length_ + 0.5));
    result_.curve.push_back({target, operations_of(kept), value, faster});
    std::sort(result_.curve.begin(), result_.curve.end(),
              [](const CurvePoint& a, const CurvePoint& b) { return a.target > b.target; });
  }

  // What the result says of the model that is written.
  void show(const Pruned& pruned) {
    const size_t hidden = source_.model.values[layers_[0].in].width;
    result_.operations = operations_of(pruned.kept);
    for (size_t i = 0; i < layers_.size(); ++i) {
      PrunedLayer layer;
      layer.name = "layer " + std::to_string(i);
      layer.heads.assign(layers_[i].heads, false);
      for (const uint32_t head : pruned.kept.heads[i]) {
        layer.heads[head] = true;
      }
      layer.neurons = layers_[i].neurons;
      layer.neurons_kept = static_cast<uint32_t>(pruned.kept.neurons[i].size());
      layer.removed = !pruned.kept.has_layer(i);
      const auto parameters = [&](size_t heads, size_t neurons) {
        return heads * layers_[i].head_dim * (4 * hidden + 3) + neurons * (2 * hidden + 1);
      };
      result_.parameters_before += parameters(layer.heads.size(), layer.neurons);
      result_.parameters_after += parameters(pruned.kept.heads[i].size(), layer.neurons_kept);
      result_.layers.push_back(std::move(layer));
    }
    if (options_.dev.empty()) {
      return;
    }
    options_.progress("measuring", 0.7);
    const ModelIR model = pruned_model(source_.model, pruned.network, layers_, pruned.kept);
    const Trial int8(model, source_.tokenizer.get(), "int8");
    result_.measurements.push_back(
        gauge_.measure("pruned, fp32", Trial(model, source_.tokenizer.get(), "fp32").model()));
    result_.measurements.push_back(gauge_.measure("pruned, int8", int8.model()));
    for (const uint32_t length : kTimedLengths) {
      if (length <= source_.model.max_length) {
        result_.latencies.push_back(latency(dense_int8_.model(), int8.model(), length));
      }
    }
    add_point(options_.target.value_or(result_.operations), pruned.kept, int8.model(),
              result_.measurements.back().value);
  }

  const PruneOptions& options_;
  const SourceModel& source_;
  Gauge& gauge_;
  PruneResult& result_;
  const std::vector<EncoderLayer> layers_;
  const Network dense_;
  const Fitting fitting_;
  const Objective objective_;
  const Sizes full_;
  const Trial dense_int8_;
  Tokens tokens_;
  double length_ = 0;  // mean, of the texts
  Costs operations_;
  Importance importance_;
};

}  // namespace

void check_encoder(const ModelIR& model, const PruneOptions& options) {
  const size_t count = find_layers(model).size();
  if (options.layers && (*options.layers < 1 || *options.layers >= count)) {
    refuse("the model has ", count, " layers: ", *options.layers, " of them cannot be kept, expected ",
           count == 1 ? "a model with more" : "1 to " + std::to_string(count - 1));
  }
}

void prune_encoder(const PruneOptions& options, const SourceModel& source, Gauge& gauge, CheckpointFolder& folder,
                   PruneResult* result) {
  EncoderPruner(options, source, gauge, result).run(folder);
}

}  // namespace kinglet::convert
