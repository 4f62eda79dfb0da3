// What training starts from: a checkpoint folder whose model has the head that the data asks for, its new weights drawn
// as transformers draws them, or a student to be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "ir/model_ir.h"
#include "train/engine.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::train {

struct Goal {
  Kind kind = Kind::classify;
  std::vector<std::string> labels;  // of classify and tag
};

// The program of a folder that `read_checkpoint_folder` takes, with its natural head, or without one.
convert::ModelIR load_model(const std::filesystem::path& source, bool encoder_only = false);

// What the model of a teacher or of a source does already; throws convert::Error for what cannot be trained.
Goal goal_of(const convert::ModelIR& model, const std::string& source);

// `source` with a head for the goal. A head that is there already stays when it has as many outputs and `keep_head`.
// Tensors have the names that transformers gives them.
convert::CheckpointFolder start_from(const std::filesystem::path& source, const Goal& goal, bool keep_head,
                                     uint64_t seed);

// The full name of a tensor that a family's program calls `name`.
std::string full_name(const std::string& architecture, const std::string& name);

}  // namespace kinglet::train
