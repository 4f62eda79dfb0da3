// The log of a training run as a curve for the page.
#pragma once

#include <filesystem>
#include <string>

#include "report/report.h"

namespace kinglet::convert {

// Reads training_log.jsonl (train/journal.h); lines that are no steps and no figures are left out. A log that is not
// there is an empty curve.
TrainingCurve read_training_log(const std::filesystem::path& path, const std::string& name);

}  // namespace kinglet::convert
