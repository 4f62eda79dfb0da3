// The part of a program that its results need, with ids of its own: no value, matrix or norm is left over.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

// What the model's outputs, its embedding and its logits need; all else about it stays.
ModelIR cut_to_outputs(const ModelIR& model);

// What the values need, as a program without a task whose outputs are the values, named "0", "1", …
ModelIR cut_to_values(const ModelIR& model, const std::vector<uint32_t>& values);

}  // namespace kinglet::convert
