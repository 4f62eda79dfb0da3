// The page of a training run: its curve, and what came of it.
#pragma once

#include <cstdint>

#include "train/settings.h"

namespace kinglet::train {

// Writes settings.report about the finished folder settings.output, whole or not at all: loss and figures by step,
// and, with settings.dev, how the model answers in fp32 and int8, beside its teacher where it has one. Throws
// convert::Error.
void write_training_report(const Settings& settings, uint32_t max_length);

}  // namespace kinglet::train
