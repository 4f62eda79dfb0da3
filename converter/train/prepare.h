// Everything a run needs before its first step: the goal, the checkpoint to start from, the texts.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ir/model_ir.h"
#include "train/examples.h"
#include "train/settings.h"
#include "train/start.h"
#include "train/workspace.h"

namespace kinglet::train {

struct Prepared {
  Goal goal;
  convert::ModelIR model;  // what learns
  std::optional<convert::ModelIR> teacher;
  ExampleSet data;
  uint32_t max_length = 0;
};

// Makes WORKSPACE/start and tokenizer.kgl unless an earlier run did. `say` gets lines for the person who waits. Throws
// convert::Error.
Prepared prepare(const Settings& settings, const Workspace& workspace,
                 const std::function<void(const std::string& line)>& say);

}  // namespace kinglet::train
