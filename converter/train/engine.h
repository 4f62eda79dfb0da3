// What does the arithmetic of training, behind a face without libtorch: only torch/ includes its headers. Everything
// around it (data, order, schedule, files) is ordinary code that is built and tested everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::train {

// What a model learns to give.
enum class Kind : uint8_t { classify, regress, tag, answer };

constexpr int64_t kNoLabel = -100;

// Texts of about the same length, filled up with zeros to the longest.
struct Batch {
  uint32_t rows = 0, columns = 0;
  std::vector<int64_t> ids, types;    // [rows, columns]
  std::vector<int64_t> lengths;       // [rows]
  std::vector<int64_t> labels;        // classify: [rows]; tag: [rows, columns]; answer: [rows, 2]; kNoLabel: unknown
  std::vector<float> scores;          // regress: [rows]; NaN: unknown
  std::vector<float> teacher_logits;  // [rows, outputs] or [rows, columns, outputs]; empty: the teacher is asked
  std::vector<size_t> examples;       // [rows]: which ones they are
};

// The shares of the losses; those with 0 are not computed.
struct LossWeights {
  double labels = 1;
  double logits = 0;     // Kullback-Leibler divergence from the teacher's, both divided by `temperature`
  double hidden = 0;     // mean square of hidden states, the student's projected where widths differ
  double attention = 0;  // relations of queries and keys, and of values, of the last layer (MiniLM)
  double temperature = 2;
};

struct Losses {
  double total = 0, labels = 0, logits = 0, hidden = 0, attention = 0;
  double gradient_norm = 0;  // before clipping
};

struct EngineOptions {
  Kind kind = Kind::classify;
  LossWeights weights;
  double dropout = 0.1, attention_dropout = 0.1, classifier_dropout = 0.1;
  double weight_decay = 0.01, clip = 1;
  uint32_t threads = 1;
  uint64_t seed = 0;
  std::string device = "auto";  // or "cpu", "cuda"
};

// Of one step. A group is 0 for the embeddings, 1 … layers, and layers + 1 for the head.
struct StepSettings {
  uint64_t step = 0;               // from 0: what the randomness of dropout depends on, with the seed
  std::vector<double> group_rate;  // learning rate per group; 0: frozen
};

struct Parameter {
  std::string name;  // the tensor's in the ModelIR; "distil.…" for what is no part of the model
  std::vector<uint32_t> shape;
  uint32_t group = 0;
  bool in_model = true;
};

// The three arrays that every parameter has.
enum class Moment : uint8_t { value, first, second };

// One thread uses an engine at a time. Everything may throw convert::Error: among others when memory runs out.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual const std::vector<Parameter>& parameters() const = 0;
  virtual uint32_t groups() const = 0;
  // Steps that each group has been trained for: part of the optimiser's state.
  virtual std::vector<uint64_t>& group_steps() = 0;
  virtual std::vector<float> read(size_t parameter, Moment moment) const = 0;
  virtual void write(size_t parameter, Moment moment, const std::vector<float>& values) = 0;

  // One step of AdamW. The losses may be non-finite; then nothing was changed.
  virtual Losses step(const Batch& batch, const StepSettings& settings) = 0;

  // A value of the student's or the teacher's program without dropout: [rows, columns, width] or [rows, width].
  virtual std::vector<float> value(const Batch& batch, uint32_t value, bool of_teacher) = 0;
  // The value that holds the logits (of both answers' ends), and its width.
  virtual uint32_t logits_value(bool of_teacher) const = 0;

  virtual std::string device() const = 0;
};

// `teacher` may be null. The models must be trainable (check_trainable) and are read at once.
std::unique_ptr<Engine> make_engine(const convert::ModelIR& student, const convert::ModelIR* teacher,
                                    const EngineOptions& options);

using EngineMaker = decltype(&make_engine);

// A value of any program that the interpreter knows, without training: as Engine::value.
std::vector<float> run_program(const convert::ModelIR& model, const Batch& batch, uint32_t value);

// Thrown where memory does not suffice: by engines, and by what is around them.
class OutOfMemory : public std::exception {
 public:
  const char* what() const noexcept override { return "out of memory"; }
};

// Throws convert::Error that names the family when its program cannot be trained: where tensors of the program are not
// those of the checkpoint but computed from them.
void check_trainable(const convert::ModelIR& model, const std::string& source);

}  // namespace kinglet::train
