// Rounding to 8 bits that looks at what the numbers do: on texts, group of matrices after group of matrices, in the
// order of the program.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "calibrate/texts.h"
#include "ir/model_ir.h"
#include "tokenizers/compile.h"

namespace kinglet::convert {

struct CalibrateOptions {
  std::vector<CalibrationInput> inputs;  // at least one
  std::string description;               // of the inputs, for the provenance: "256 texts, seed 1"
  std::function<void(double fraction)> progress;
};

// For every matrix that `model` (after quantize) stores in 8 bits: chooses the vector of input scales of all that read
// the same input; rounds its weights so that its products with the inputs that the 8-bit program really gives it stay
// those of `exact`, the same model before quantize; and corrects its bias. Layers that share matrices share all of it.
// Embedding tables and what is tied to them stay as they are. Throws Error.
void calibrate(ModelIR& model, const ModelIR& exact, const CompiledTokenizer* tokenizer,
               const CalibrateOptions& options);

}  // namespace kinglet::convert
