// Whole layers, heads and neurons: of a model in memory, into the folder it came from.
#pragma once

#include "prune/prune.h"
#include "report/gauge.h"
#include "source_model.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::convert {

// Throws Error where `model` cannot be pruned at all, or not to so many layers: for asking before work that takes long.
void check_encoder(const ModelIR& model, const PruneOptions& options);

// Prunes the layers of `source` as options say, puts what is left into `folder`, which has the same tensors, and enters
// what it did and what that costs into `result`. Throws Error.
void prune_encoder(const PruneOptions& options, const SourceModel& source, Gauge& gauge, CheckpointFolder& folder,
                   PruneResult* result);

}  // namespace kinglet::convert
