// Which family a checkpoint belongs to when its config.json does not say.
#pragma once

#include <string>

#include "base/json_file.h"
#include "readers/checkpoint.h"

namespace kinglet::convert {

// The model_type, by the first of "architectures" or else by the names of the tensors; "" when neither tells. Files of
// RoBERTa, XLM-RoBERTa and CamemBERT look alike, and are computed alike: all are called roberta. Throws Error when
// "architectures" is not a list of names.
std::string infer_model_type(const JsonObject& config, const Checkpoint& checkpoint);

}  // namespace kinglet::convert
