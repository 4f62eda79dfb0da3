// Matrices that read the same rows: their input is rounded once, by one vector of input scales.
#pragma once

#include <cstdint>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

struct LinearGroup {
  std::vector<uint32_t> inputs;    // values; several where layers share matrices
  std::vector<uint32_t> matrices;  // each of a weight of its own
};

// The groups of all matrices that are stored in 8 bits and whose weight is not an embedding table as well, in the order
// of the program.
std::vector<LinearGroup> find_linear_groups(const ModelIR& model);

// Whether adding the same to every result of this matrix changes nothing that cannot be put right behind it: keys
// without rotary positions (softmax does not see it), and values.
bool ignores_constants(const ModelIR& model, uint32_t matrix);

}  // namespace kinglet::convert
