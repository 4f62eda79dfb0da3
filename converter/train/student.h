// Students: what they are asked to be, and a new model of that shape.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "ir/model_ir.h"
#include "train/start.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::train {

// The sizes of a student; 0: as the teacher's, or as follows from the others. Positions: as many as the teacher's texts
// may have tokens, or fewer.
struct StudentShape {
  std::string family = "bert";  // or "distilbert", "albert"
  uint32_t layers = 0, hidden = 0, heads = 0, intermediate = 0, embedding = 0, positions = 0;
};

// "layers=3,hidden=384", "bert-tiny", "distilbert,layers=2", …: a preset and what differs. Throws convert::Error.
StudentShape parse_student(const std::string& text);

// The same with no size left open.
StudentShape complete_shape(const StudentShape& shape, const convert::ModelIR& teacher);

// A new model of this complete shape for the texts and the goal of `teacher`, all of its weights drawn.
convert::CheckpointFolder start_student(const std::filesystem::path& teacher, const convert::ModelIR& teacher_model,
                                        const Goal& goal, const StudentShape& shape, uint64_t seed);

}  // namespace kinglet::train
