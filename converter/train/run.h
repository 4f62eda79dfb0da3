// A whole training run: data, start, steps, figures on dev, checkpoints, the result.
#pragma once

#include "train/engine.h"
#include "train/settings.h"

namespace kinglet::train {

// Carries out the settings, or goes on with a run that was stopped. Everything that is not finished lies in the folder
// OUTPUT.training, which only one process uses at a time; OUTPUT appears when all is done, and the other is removed.
// Progress goes to standard error, the result to standard output. Returns the exit code: 0, or 1 when a signal ended
// the run, which the same settings then continue. Throws convert::Error, also when memory runs out.
int run_training(const Settings& settings, EngineMaker make_engine);

}  // namespace kinglet::train
