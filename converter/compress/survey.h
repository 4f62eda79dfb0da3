// What planning needs to know of a model, its texts and this machine.
#pragma once

#include <string>
#include <vector>

#include "compress/judge.h"
#include "compress/plan.h"
#include "compress/run.h"
#include "compress/work.h"
#include "train/settings.h"

namespace kinglet::compress {

struct Survey {
  Facts facts;
  std::vector<std::string> notes;  // sentences: what cannot be done with this model, and why
};

// `source`: what was measured of the model as it is. Counts tokens, lays out students, and times a few steps of pruning
// and of training; what takes a clock or long is kept in `work`, so that a run that goes on plans the same. Throws
// convert::Error.
Survey survey(const Options& options, const Judgement& source, WorkFolder& work);

// Settings of the two passes that train.
train::Settings recover_settings(const Options& options, const std::filesystem::path& pruned,
                                 const std::filesystem::path& output);
train::Settings distill_settings(const Options& options, const std::string& student,
                                 const std::filesystem::path& output);

}  // namespace kinglet::compress
