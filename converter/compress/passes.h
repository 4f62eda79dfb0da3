// The passes that make a checkpoint of another, and what checkpoints are called in the work folder.
#pragma once

#include <filesystem>
#include <string>

#include "compress/plan.h"
#include "compress/run.h"

namespace kinglet::compress {

inline constexpr char kSource[] = "source";  // the model as it came

// A checkpoint's name after one pass more: "prune-0.46+recover+vocabulary-5".
std::string name_after(const std::string& name, const Pass& pass);

// Prunes, trains or drops tokens: the folder `output` appears whole or not at all. Throws convert::Error, also when
// training was stopped.
void make_checkpoint(const Options& options, const Pass& pass, const std::filesystem::path& source,
                     const std::filesystem::path& output);

}  // namespace kinglet::compress
