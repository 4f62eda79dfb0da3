// kinglet-train from outside: where it is, becoming it, and running it as a child.
#pragma once

#include <filesystem>
#include <optional>

#include "train/settings.h"

namespace kinglet::train {

// The one beside this executable, or else on the PATH.
std::optional<std::filesystem::path> find_trainer();

// What to do where there is none; the end of a sentence.
extern const char* const kGetTrainer;

// Becomes kinglet-train with these settings. Throws convert::Error when it cannot be started.
[[noreturn]] void become_trainer(const Settings& settings);

// Runs it as a child and returns its exit code, 128 and the signal's number where one ended it. Its result line is left
// out, its progress goes to standard error. SIGINT and SIGTERM are handed on to it, so that it keeps its state, and it
// does not outlive this process. Not thread-safe. Throws convert::Error when it cannot be started.
int run_trainer(const std::filesystem::path& trainer, const Settings& settings);

}  // namespace kinglet::train
