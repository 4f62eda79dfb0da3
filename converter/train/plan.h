// How fast which part of a model learns at which step.
#pragma once

#include <cstdint>
#include <vector>

#include "train/settings.h"

namespace kinglet::train {

struct Plan {
  uint64_t batches = 0;  // per epoch
  uint64_t steps = 0;    // in all
  uint64_t evaluate_every = 0;
  uint32_t groups = 0;  // embeddings, layers, head
};

// `batches` per epoch and `groups` of the model.
Plan make_plan(const Settings& settings, uint64_t batches, uint32_t groups);

// The rate of every group at a step, 0 where it is frozen. The rate rises linearly over the warm-up and falls linearly
// to 0. "gradual" (Howard and Ruder, 2018) begins with the head and unfreezes a group at a time, evenly over the first
// half of the steps, the embeddings last.
std::vector<double> rates_at(const Settings& settings, const Plan& plan, uint64_t step);

}  // namespace kinglet::train
