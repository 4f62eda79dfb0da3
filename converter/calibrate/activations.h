// The numbers inside a model while it reads texts. Every intermediate result is a Value of the program, so a file whose
// outputs name the wanted values, run through the C API, gives them for every family and precision.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/texts.h"
#include "ir/model_ir.h"
#include "tokenizers/compile.h"

namespace kinglet::convert {

struct RunOptions {
  uint32_t threads = 2;
  uint32_t max_length = 128;          // tokens; longer texts are cut. 0, or above the model's limit: the model's limit
  size_t memory = size_t{192} << 20;  // bytes that a batch's values may take: more values, smaller batches
};

// Rows of one value for one input: one per token, or one.
struct ValueRows {
  size_t which;  // place in the list of values
  size_t input;  // number of the input, from 0
  const float* data;
  size_t rows, width;
};
using RowVisitor = std::function<void(const ValueRows&)>;

// A model made ready to be watched. Holds a file without a name in the folder for temporary files (what the values need
// of the weights), and a session. One thread uses it.
class WatchedModel {
 public:
  // `values` are ids in model.values; what they do not need is neither written nor computed. The model is taken as it
  // stands: fp32 as families build it, or after passes. `tokenizer` may be null when all inputs are ids. Throws Error.
  WatchedModel(const ModelIR& model, const CompiledTokenizer* tokenizer, const std::vector<uint32_t>& values,
               const RunOptions& options);
  ~WatchedModel();

  // Runs the inputs batch by batch and shows the rows: inputs in order, for each the values in order. The numbers do
  // not depend on batches. Throws Error: an input that cannot be computed is named by its number, from 1.
  void run(const std::vector<CalibrationInput>& inputs, const RowVisitor& visit);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kinglet::convert
