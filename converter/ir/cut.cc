// The part of a program that some values need, with ids of its own.
#include "ir/cut.h"

#include <map>

namespace kinglet::convert {

namespace {

// Gives out new ids in the order of first use.
template <typename T>
class Renumber {
 public:
  explicit Renumber(const std::vector<T>& all) : all_(all) {}

  void operator()(uint32_t* id) {
    const auto [place, added] = ids_.emplace(*id, static_cast<uint32_t>(kept_.size()));
    if (added) {
      kept_.push_back(all_[*id]);
    }
    *id = place->second;
  }
  void operator()(int32_t* id) {
    if (*id != kNone) {
      auto positive = static_cast<uint32_t>(*id);
      (*this)(&positive);
      *id = static_cast<int32_t>(positive);
    }
  }
  std::vector<T> take() { return std::move(kept_); }

 private:
  const std::vector<T>& all_;
  std::vector<T> kept_;
  std::map<uint32_t, uint32_t> ids_;
};

class Cutter {
 public:
  explicit Cutter(const ModelIR& model)
      : cut_(model),
        values_(model.values),
        matrices_(model.matrices),
        norms_(model.norms),
        needed_(model.values.size()) {
    for (const Output& output : model.outputs) {
      need(output.value);
    }
    for (const int32_t value : {model.embedding, model.logits}) {
      if (value != kNone) {
        need(static_cast<uint32_t>(value));
      }
    }
    cut_.program.clear();
    std::vector<bool> keep(model.program.size());
    for (size_t i = model.program.size(); i-- > 0;) {
      const bool keep_this = std::visit([&](const auto& op) { return bool{needed_[op.out]}; }, model.program[i]);
      keep[i] = keep_this;
      if (keep_this) {
        std::visit([&](auto op) { need_inputs(op); }, model.program[i]);
      }
    }
    for (size_t i = 0; i < keep.size(); ++i) {
      if (keep[i]) {
        std::visit([&](auto op) { append(op); }, model.program[i]);
      }
    }
    for (Output& output : cut_.outputs) {
      values_(&output.value);
    }
    values_(&cut_.embedding);
    values_(&cut_.logits);
    cut_.values = values_.take();
    cut_.matrices = matrices_.take();
    cut_.norms = norms_.take();
  }

  ModelIR take() { return std::move(cut_); }

 private:
  void need(uint32_t value) { needed_[value] = true; }
  void need_inputs(const EmbedOp&) {}
  void need_inputs(const AttentionOp& op) {
    need(op.query_in);
    need(op.key_in);
    need(op.value_in);
  }
  void need_inputs(const AddNormOp& op) {
    need(op.in);
    if (op.residual != kNone) {
      need(static_cast<uint32_t>(op.residual));
    }
  }
  template <typename T>
  void need_inputs(const T& op) {
    need(op.in);
  }

  void append(EmbedOp op) {
    norms_(&op.norm);
    finish(std::move(op));
  }
  void append(LinearOp op) {
    values_(&op.in);
    matrices_(&op.matrix);
    matrices_(&op.gate);
    finish(op);
  }
  void append(AttentionOp op) {
    for (uint32_t* value : {&op.query_in, &op.key_in, &op.value_in}) {
      values_(value);
    }
    for (uint32_t* matrix : {&op.query, &op.key, &op.value}) {
      matrices_(matrix);
    }
    finish(std::move(op));
  }
  void append(AddNormOp op) {
    values_(&op.in);
    values_(&op.residual);
    norms_(&op.norm);
    finish(op);
  }
  template <typename T>
  void append(T op) {
    values_(&op.in);
    finish(op);
  }
  template <typename T>
  void finish(T op) {
    values_(&op.out);
    cut_.program.push_back(std::move(op));
  }

  ModelIR cut_;
  Renumber<Value> values_;
  Renumber<Matrix> matrices_;
  Renumber<Norm> norms_;
  std::vector<bool> needed_;
};

}  // namespace

ModelIR cut_to_outputs(const ModelIR& model) { return Cutter(model).take(); }

ModelIR cut_to_values(const ModelIR& model, const std::vector<uint32_t>& values) {
  ModelIR bare = model;
  bare.outputs.clear();
  for (const uint32_t value : values) {
    bare.outputs.push_back({std::to_string(bare.outputs.size()), value, kNone});
  }
  bare.task = fmt::Task::none;
  bare.labels.clear();
  bare.prompts.clear();
  bare.default_prompt = bare.embedding = bare.logits = kNone;
  return cut_to_outputs(bare);
}

}  // namespace kinglet::convert
