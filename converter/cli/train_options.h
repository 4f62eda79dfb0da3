// What `finetune` and `distill` have in common: options of training, and starting kinglet-train.
#pragma once

#include <string>
#include <vector>

#include "train/settings.h"

namespace CLI {
class App;
}

namespace kinglet::cli {

// Adds the options of both commands; they write to `settings`.
void add_training_options(CLI::App& app, train::Settings* settings);
// Adds those that weigh what is learnt from a teacher.
void add_loss_options(CLI::App& app, train::Settings* settings);
// Adds an option whose value is a number of at least 0.
void add_real(CLI::App& app, const char* name, double* value, const char* help);

// Becomes kinglet-train with these settings. Throws convert::Error that says how to get it where there is none, and for
// settings that cannot be.
[[noreturn]] void start_training(train::Settings settings);

// The end of both commands' manuals.
extern const char* const kTrainingManual;

}  // namespace kinglet::cli
