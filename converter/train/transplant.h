// A student's first weights from its teacher: layers where they fit, embeddings also where they are narrower.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::train {

// Numbers for those tensors of `student` (by name) that the teacher has something for:
// - layers of the same sizes are copied: the student's first from the teacher's first, its last from the last, those
//   between from as deep ones; a layer that all depths share from the teacher's middle;
// - embeddings of the same width are copied; narrower ones are the teacher's along the directions in which its words
//   differ most (principal components), and a projection behind them leads back;
// - heads of the same sizes are copied.
std::map<std::string, std::vector<float>> transplant(const convert::ModelIR& student, const convert::ModelIR& teacher);

// The `count` directions of the largest variance of the rows of `table` ([rows, width], about 0), as columns of
// [width, count]. By orthogonal iteration from a fixed start: the same everywhere.
std::vector<float> principal_directions(const std::vector<float>& table, uint32_t width, uint32_t count);

}  // namespace kinglet::train
