// Training steps with libtorch: forward, losses, backward, clipping, AdamW.
#include "train/engine.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <optional>

#include "base/text.h"
#include "train/numbers.h"
#include "train/torch/adamw.h"
#include "train/torch/losses.h"
#include "train/torch/network.h"

namespace kinglet::train {

using convert::kNone;
using convert::refuse;
using torch::Tensor;

namespace {

torch::Device choose_device(const std::string& name) {
  if (name != "auto" && name != "cpu" && name != "cuda") {
    refuse("the device ", convert::quote(name), " is not known, expected auto, cpu or cuda");
  }
  const bool there = torch::cuda::is_available();
  if (name == "cuda" && !there) {
    refuse("--device cuda: libtorch sees no GPU here");
  }
  return torch::Device(there && name != "cpu" ? torch::kCUDA : torch::kCPU);
}

// Tensors that the program computes with; others (tables of distances) stay as they are.
std::vector<bool> trained_tensors(const convert::ModelIR& model) {
  std::vector<bool> trained(model.tensors.size(), false);
  const auto mark = [&](int32_t tensor) {
    if (tensor != kNone) {
      trained[static_cast<size_t>(tensor)] = true;
    }
  };
  for (const convert::Op& op : model.program) {
    if (const auto* embed = std::get_if<convert::EmbedOp>(&op)) {
      for (const convert::EmbedTable& table : embed->tables) {
        mark(static_cast<int32_t>(table.table));
      }
    }
  }
  for (const convert::Matrix& matrix : model.matrices) {
    mark(static_cast<int32_t>(matrix.weight));
    mark(matrix.bias);
  }
  for (const convert::Norm& norm : model.norms) {
    mark(static_cast<int32_t>(norm.weight));
    mark(norm.bias);
  }
  return trained;
}

uint32_t find_logits(const convert::ModelIR& model, Kind kind) {
  if (kind == Kind::classify || kind == Kind::regress) {
    if (model.logits == kNone) {
      refuse("the model has no head that classifies");
    }
    return static_cast<uint32_t>(model.logits);
  }
  const char* name = kind == Kind::tag ? "logits" : "start_logits";
  for (const convert::Output& output : model.outputs) {
    if (output.name == name) {
      return output.value;
    }
  }
  refuse("the model has no output ", name);
}

// Out of memory, or a fault of ours: libtorch's messages have many lines.
[[noreturn]] void translate(const c10::Error& error) {
  std::string message = error.what_without_backtrace();
  for (const char* sign : {"not enough memory", "out of memory", "can't allocate"}) {
    if (message.find(sign) != std::string::npos) {
      throw OutOfMemory();
    }
  }
  message.resize(std::min(message.find('\n'), message.size()));
  refuse("libtorch: ", message);
}

template <typename F>
auto guarded(const F& f) {
  try {
    return f();
  } catch (const c10::Error& error) {
    translate(error);
  } catch (const std::bad_alloc&) {
    throw OutOfMemory();
  }
}

std::vector<float> numbers_of(const Tensor& tensor) {
  const Tensor dense = tensor.detach().to(torch::kCPU).contiguous();
  return {dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel()};
}

class TorchEngine final : public Engine {
 public:
  TorchEngine(const convert::ModelIR& student, const convert::ModelIR* teacher, const EngineOptions& options)
      : options_(options), device_(choose_device(options.device)), student_(student, device_) {
    torch::set_num_threads(static_cast<int>(options.threads));
    at::globalContext().setDeterministicAlgorithms(true, true);
    logits_ = find_logits(student, options.kind);
    if (teacher != nullptr) {
      teacher_.emplace(*teacher, device_);
      teacher_logits_ = find_logits(*teacher, options.kind);
    }
    const std::vector<bool> trained = trained_tensors(student);
    const std::vector<uint32_t> groups = student_.tensor_groups();
    for (size_t i = 0; i < trained.size(); ++i) {
      if (trained[i]) {
        add_parameter({student.tensors[i].name, student.tensors[i].shape, groups[i], true}, student_.tensors()[i]);
      }
    }
    if (options.weights.hidden > 0) {
      add_projection();
    }
    group_steps_.assign(groups_count(), 0);
  }

  const std::vector<Parameter>& parameters() const override { return parameters_; }
  uint32_t groups() const override { return groups_count(); }
  std::vector<uint64_t>& group_steps() override { return group_steps_; }
  uint32_t logits_value(bool of_teacher) const override { return of_teacher ? teacher_logits_ : logits_; }
  std::string device() const override { return device_.is_cpu() ? "cpu" : "cuda"; }

  std::vector<float> read(size_t parameter, Moment moment) const override {
    return guarded([&] { return numbers_of(array(parameter, moment)); });
  }

  void write(size_t parameter, Moment moment, const std::vector<float>& values) override {
    guarded([&] {
      const torch::NoGradGuard no_gradients;
      Tensor target = array(parameter, moment);
      if (values.size() != static_cast<size_t>(target.numel())) {
        refuse("the parameter ", convert::quote(parameters_[parameter].name), " has ", target.numel(), " numbers, but ",
               values.size(), " were given");
      }
      target.copy_(torch::tensor(values, torch::kFloat32).reshape(target.sizes()));
    });
  }

  Losses step(const Batch& batch, const StepSettings& settings) override {
    return guarded([&] { return run_step(batch, settings); });
  }

  std::vector<float> value(const Batch& batch, uint32_t value, bool of_teacher) override {
    return guarded([&] {
      const torch::NoGradGuard no_gradients;
      const Network& network = of_teacher ? *teacher_ : student_;
      return numbers_of(network.run(Inputs::from(batch, device_), {value}, {}).values[value]);
    });
  }

 private:
  uint32_t groups_count() const { return static_cast<uint32_t>(student_.hidden_values().size()) + 1; }

  Tensor array(size_t parameter, Moment moment) const {
    return moment == Moment::value   ? values_[parameter]
           : moment == Moment::first ? first_[parameter]
                                     : second_[parameter];
  }

  void add_parameter(Parameter parameter, const Tensor& value) {
    parameters_.push_back(std::move(parameter));
    values_.push_back(value);
    first_.push_back(torch::zeros_like(value));
    second_.push_back(torch::zeros_like(value));
  }

  // From the student's hidden states to the teacher's, where they are of different widths.
  void add_projection() {
    const uint32_t from = width(student_), to = width(*teacher_);
    if (from == to) {
      return;
    }
    std::vector<float> numbers = normal_numbers(mix_seed(options_.seed, 0x70726f6a), size_t{from} * to,
                                                1 / std::sqrt(static_cast<double>(from)));
    projection_ = torch::tensor(numbers, torch::kFloat32).reshape({to, from}).to(device_);
    add_parameter({"distil.projection", {to, from}, groups_count() - 1, false}, projection_);
  }

  static uint32_t width(const Network& network) { return network.model().values[network.hidden_values().back()].width; }

  // Layer i of the student learns from the teacher's layer that stands as deep; embeddings from embeddings.
  Tensor hidden_states_loss(const Run& student, const Run& teacher, const Inputs& inputs) const {
    const auto& own = student_.hidden_values();
    const auto& theirs = teacher_->hidden_values();
    Tensor sum;
    for (size_t i = 0; i < own.size(); ++i) {
      const size_t place = i * (theirs.size() - 1) / std::max<size_t>(own.size() - 1, 1);
      Tensor states = student.values[own[i]];
      if (projection_.defined()) {
        states = torch::matmul(states, projection_.t());
      }
      const Tensor loss = hidden_loss(states, teacher.values[theirs[place]], inputs);
      sum = sum.defined() ? sum + loss : loss;
    }
    return sum / static_cast<double>(own.size());
  }

  // As many parts as the teacher has heads, or the most below that divide both widths.
  int64_t relation_heads(const Projected& student, const Projected& teacher) const {
    int64_t heads = teacher_->heads_of_last();
    while (student.query.size(2) % heads != 0 || teacher.query.size(2) % heads != 0) {
      --heads;
    }
    return heads;
  }

  Tensor teacher_logits_of(const Batch& batch, const Run& teacher, const Tensor& like) const {
    if (batch.teacher_logits.empty()) {
      return teacher.values[teacher_logits_];
    }
    return torch::tensor(batch.teacher_logits, torch::kFloat32).reshape(like.sizes()).to(device_);
  }

  Losses run_step(const Batch& batch, const StepSettings& settings) {
    const uint64_t seed = mix_seed(options_.seed, settings.step);
    torch::manual_seed(seed);
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i].set_requires_grad(settings.group_rate[parameters_[i].group] > 0);
      values_[i].mutable_grad().reset();
    }
    const LossWeights& weights = options_.weights;
    const Inputs inputs = Inputs::from(batch, device_);
    std::vector<uint32_t> keep = {logits_};
    if (weights.hidden > 0) {
      keep.insert(keep.end(), student_.hidden_values().begin(), student_.hidden_values().end());
    }
    const Run student =
        student_.run(inputs, keep, {options_.dropout, options_.attention_dropout, options_.classifier_dropout});
    const Tensor& logits = student.values[logits_];

    Losses losses;
    Tensor total;
    const auto add = [&](const Tensor& loss, double weight, double* figure) {
      if (loss.defined()) {
        total = total.defined() ? total + loss * weight : loss * weight;
        *figure = loss.item<double>();
      }
    };
    if (weights.labels > 0) {
      add(label_loss(options_.kind, logits, batch, inputs), weights.labels, &losses.labels);
    }
    add_teacher_losses(batch, inputs, student, losses, add);
    if (!total.defined()) {
      return losses;  // no text of the batch has a label, and there is nothing else to learn from
    }
    losses.total = total.item<double>();
    if (!std::isfinite(losses.total)) {
      return losses;
    }
    total.backward();
    update(settings, losses);
    return losses;
  }

  template <typename Add>
  void add_teacher_losses(const Batch& batch, const Inputs& inputs, const Run& student, Losses& losses,
                          const Add& add) {
    const LossWeights& weights = options_.weights;
    const bool live =
        weights.hidden > 0 || weights.attention > 0 || (weights.logits > 0 && batch.teacher_logits.empty());
    Run teacher;
    if (live) {
      const torch::NoGradGuard no_gradients;
      std::vector<uint32_t> keep = {teacher_logits_};
      if (weights.hidden > 0) {
        keep.insert(keep.end(), teacher_->hidden_values().begin(), teacher_->hidden_values().end());
      }
      teacher = teacher_->run(inputs, keep, {});
    }
    if (weights.logits > 0) {
      const Tensor& logits = student.values[logits_];
      add(logit_loss(options_.kind, logits, teacher_logits_of(batch, teacher, logits), inputs, weights.temperature),
          weights.logits, &losses.logits);
    }
    if (weights.hidden > 0) {
      add(hidden_states_loss(student, teacher, inputs), weights.hidden, &losses.hidden);
    }
    if (weights.attention > 0) {
      add(attention_loss(student.last, teacher.last, inputs, relation_heads(student.last, teacher.last)),
          weights.attention, &losses.attention);
    }
  }

  void update(const StepSettings& settings, Losses& losses) {
    const torch::NoGradGuard no_gradients;
    double squares = 0;
    for (const Tensor& value : values_) {
      if (value.grad().defined()) {
        squares += sum_of_squares(value.grad());
      }
    }
    losses.gradient_norm = std::sqrt(squares);
    if (!std::isfinite(losses.gradient_norm)) {
      return;
    }
    const double scale =
        options_.clip > 0 && losses.gradient_norm > options_.clip ? options_.clip / (losses.gradient_norm + 1e-6) : 1;
    for (uint32_t group = 0; group < groups_count(); ++group) {
      group_steps_[group] += settings.group_rate[group] > 0 ? 1 : 0;
    }
    for (size_t i = 0; i < values_.size(); ++i) {
      const Parameter& parameter = parameters_[i];
      if (!values_[i].grad().defined()) {
        continue;
      }
      AdamW adamw;
      adamw.rate = settings.group_rate[parameter.group];
      // Biases and norms are not drawn towards 0.
      adamw.decay = parameter.shape.size() > 1 ? options_.weight_decay : 0;
      adamw.step = group_steps_[parameter.group];
      Tensor value = values_[i].detach();
      adamw.apply(value, first_[i], second_[i], values_[i].grad(), scale);
      values_[i].mutable_grad().reset();
    }
  }

  EngineOptions options_;
  torch::Device device_;
  Network student_;
  std::optional<Network> teacher_;
  uint32_t logits_ = 0, teacher_logits_ = 0;
  std::vector<Parameter> parameters_;
  std::vector<Tensor> values_, first_, second_;
  Tensor projection_;
  std::vector<uint64_t> group_steps_;
};

}  // namespace

std::vector<float> run_program(const convert::ModelIR& model, const Batch& batch, uint32_t value) {
  return guarded([&] {
    const torch::NoGradGuard no_gradients;
    const Network network(model, torch::kCPU);
    return numbers_of(network.run(Inputs::from(batch, torch::kCPU), {value}, {}).values[value]);
  });
}

std::unique_ptr<Engine> make_engine(const convert::ModelIR& student, const convert::ModelIR* teacher,
                                    const EngineOptions& options) {
  return guarded([&] { return std::make_unique<TorchEngine>(student, teacher, options); });
}

}  // namespace kinglet::train
