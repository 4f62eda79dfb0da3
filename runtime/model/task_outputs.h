// The outputs of one row per token that the tasks tag, answer and fill_mask are computed from, by their Hugging Face
// names.
#pragma once

#include <cstdint>

#include "model_generated.h"

namespace kinglet {

// Null where the model's task has no such output, or where it lacks one (which check_meaning refuses).
struct TaskOutputs {
  // tag, fill_mask: the logits of labels or of the vocabulary. answer: the start logits, and the end logits.
  const fmt::Output* outputs[2] = {nullptr, nullptr};
  uint32_t wanted = 0;  // how many the task needs
};

inline TaskOutputs find_task_outputs(const fmt::Model& model) {
  TaskOutputs found;
  const auto find = [&](const char* name) -> const fmt::Output* {
    for (const fmt::Output* output : *model.outputs()) {
      if (output->name()->string_view() == name &&
          model.values()->Get(output->value())->extent() == fmt::Extent::tokens) {
        return output;
      }
    }
    return nullptr;
  };
  switch (model.task()) {
    case fmt::Task::tag:
      found.wanted = 1;
      found.outputs[0] = find("logits");
      break;
    case fmt::Task::fill_mask:
      found.wanted = 1;
      found.outputs[0] = find("logits");
      if (found.outputs[0] == nullptr) {
        found.outputs[0] = find("prediction_logits");
      }
      break;
    case fmt::Task::answer:
      found.wanted = 2;
      found.outputs[0] = find("start_logits");
      found.outputs[1] = find("end_logits");
      break;
    default: break;
  }
  return found;
}

// Numbers per token of such an output.
inline uint32_t width_of(const fmt::Model& model, const fmt::Output& output) {
  return output.column() >= 0 ? 1 : model.values()->Get(output.value())->width();
}

}  // namespace kinglet
