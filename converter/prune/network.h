// A program in fp32 on the host, op by op, with the gradients of its values: what pruning needs to know of a model, and
// can change between two runs. The runtime has the fast way to run a program; this one can be interrupted and reversed.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "ir/model_ir.h"
#include "prune/attention.h"
#include "prune/matmul.h"

namespace kinglet::convert {

// Texts as token ids, laid end to end; each has one token at least, and ids and types that the model has.
struct Tokens {
  std::vector<int32_t> ids, types;
  std::vector<uint32_t> begins = {0};  // of every text, and the end

  size_t texts() const { return begins.size() - 1; }
  size_t count(size_t first, size_t last) const { return begins[last] - begins[first]; }
};

// What a run over some texts has computed: a value is row-major, a row per token or per text.
struct Tape {
  const Tokens* tokens = nullptr;
  size_t first = 0, last = 0;  // texts [first, last)
  bool keep = false;           // what backward() needs besides the values
  std::vector<std::vector<float>> values, gradients;
  std::vector<std::vector<float>> kept;  // by op: before the activation; queries, keys, values and probabilities

  size_t rows() const { return tokens->count(first, last); }
};

class Network {
 public:
  // Reads all numbers of the model into memory. Throws Error for an op or a form of one that families which can be
  // pruned do not have (gates, rotary positions, windows, disentangled attention, neighbours).
  explicit Network(const ModelIR& model);

  const ModelIR& model() const { return model_; }
  const std::vector<float>& weight(uint32_t matrix) const { return matrices_[matrix].weight; }
  const std::vector<float>& bias(uint32_t matrix) const { return matrices_[matrix].bias; }  // zeros where there is none
  // Replaces a matrix [rows, columns] and its bias [rows]; other ops must be made to fit (keep_heads).
  void set_matrix(uint32_t matrix, uint32_t rows, uint32_t columns, std::vector<float> weight, std::vector<float> bias);
  // Says which of an attention's present heads are left, ascending; its matrices must be made to fit.
  void keep_heads(size_t op, const std::vector<uint32_t>& heads);

  Tape tape(const Tokens& tokens, size_t first, size_t last, bool keep) const;
  // Runs ops [begin, end); values that they read must be there.
  void forward(Tape& tape, size_t begin, size_t end) const;
  // Goes through ops [begin, end) backwards: adds to the gradients of what they read the gradients of what they wrote.
  // Those of values without any (the program's results, but for what the caller puts there) count as 0. Gradients end
  // at the embedding.
  void backward(Tape& tape, size_t begin, size_t end) const;

 private:
  struct Dense {
    uint32_t rows, columns;
    std::vector<float> weight, bias;
    PackedMatrix forward, backward;
  };

  size_t rows_of(const Tape& tape, uint32_t value) const {
    return model_.values[value].extent == fmt::Extent::tokens ? tape.rows() : tape.last - tape.first;
  }
  std::vector<float>& make(Tape& tape, uint32_t value) const;
  std::vector<float>& gradient(Tape& tape, uint32_t value) const;
  DistanceBias distance_bias(size_t index, const AttentionOp& op, uint32_t head) const;
  void product(const std::vector<float>& in, const Dense& matrix, std::vector<float>& out) const;
  void reverse_product(const std::vector<float>& out_gradient, const Dense& matrix, std::vector<float>& gradient) const;

  void run(Tape& tape, size_t index, const EmbedOp& op) const;
  void run(Tape& tape, size_t index, const LinearOp& op) const;
  void run(Tape& tape, size_t index, const AttentionOp& op) const;
  void run(Tape& tape, size_t index, const AddNormOp& op) const;
  void run(Tape& tape, size_t index, const PoolOp& op) const;
  void run(Tape& tape, size_t index, const NormalizeOp& op) const;
  void run(Tape& tape, size_t index, const NeighboursOp& op) const;
  void reverse(Tape& tape, size_t index, const EmbedOp& op) const;
  void reverse(Tape& tape, size_t index, const LinearOp& op) const;
  void reverse(Tape& tape, size_t index, const AttentionOp& op) const;
  void reverse(Tape& tape, size_t index, const AddNormOp& op) const;
  void reverse(Tape& tape, size_t index, const PoolOp& op) const;
  void reverse(Tape& tape, size_t index, const NormalizeOp& op) const;
  void reverse(Tape& tape, size_t index, const NeighboursOp& op) const;

  ModelIR model_;
  std::vector<Dense> matrices_;
  std::map<size_t, std::vector<uint32_t>> kept_heads_;  // by op, in the numbers of the model
  std::vector<std::vector<float>> tensors_;  // those that ops name themselves: tables, norms, biases of distances
};

}  // namespace kinglet::convert
