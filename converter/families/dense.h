// The Dense modules of sentence-transformers: layers between the pooled embedding and its normalisation.
#pragma once

#include <filesystem>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

// Puts the modules of `folders` (config.json and weights in each), in their order, behind model->embedding, which the
// last of them then becomes. Throws Error for settings that are not implemented and for weights of other shapes.
void add_dense_modules(const std::vector<std::filesystem::path>& folders, ModelIR* model);

}  // namespace kinglet::convert
