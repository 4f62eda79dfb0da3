// A ModelIR program that libtorch runs and differentiates: the same ops as runtime/format/model.fbs, on padded batches.
#pragma once

#include <torch/torch.h>

#include <vector>

#include "ir/model_ir.h"
#include "train/engine.h"

namespace kinglet::train {

struct Inputs {
  torch::Tensor ids, types;  // int64 [rows, columns]
  torch::Tensor lengths;     // int64 [rows]
  torch::Tensor mask;        // bool [rows, columns]: true at tokens
  static Inputs from(const Batch& batch, torch::Device device);
};

struct Dropout {
  double hidden = 0, attention = 0, classifier = 0;
};

// Queries, keys and values of one attention, [rows, columns, heads·head_dim].
struct Projected {
  torch::Tensor query, key, value;
};

struct Run {
  std::vector<torch::Tensor> values;  // by id; undefined where nobody asked
  Projected last;                     // of the last attention
};

class Network {
 public:
  // Copies the model's numbers. `trained`: which get gradients is up to the caller.
  Network(const convert::ModelIR& model, torch::Device device);

  // The whole program. `keep`: ids of values that are wanted afterwards.
  Run run(const Inputs& inputs, const std::vector<uint32_t>& keep, const Dropout& dropout) const;

  std::vector<torch::Tensor>& tensors() { return tensors_; }  // by id
  const convert::ModelIR& model() const { return model_; }
  // The value behind the embeddings, and behind every layer.
  const std::vector<uint32_t>& hidden_values() const { return hidden_; }
  // The group of every tensor (engine.h).
  std::vector<uint32_t> tensor_groups() const;
  uint32_t heads_of_last() const;

 private:
  struct State;
  void apply(const convert::EmbedOp& op, State& state) const;
  void apply(const convert::LinearOp& op, State& state) const;
  void apply(const convert::AttentionOp& op, State& state) const;
  void apply(const convert::AddNormOp& op, State& state) const;
  void apply(const convert::PoolOp& op, State& state) const;
  void apply(const convert::NormalizeOp& op, State& state) const;
  void apply(const convert::NeighboursOp& op, State& state) const;
  torch::Tensor normalized(const torch::Tensor& in, int32_t norm) const;
  torch::Tensor projected(const torch::Tensor& in, uint32_t matrix) const;

  convert::ModelIR model_;
  torch::Device device_;
  std::vector<torch::Tensor> tensors_;
  std::vector<uint32_t> hidden_;
  std::vector<size_t> last_use_;  // of every value: the op's place
  size_t head_begin_ = 0;         // the first op behind the encoder
};

}  // namespace kinglet::train
