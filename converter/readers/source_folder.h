// Where a checkpoint is: a folder, one of the hub's cache, or a weights file inside a folder.
#pragma once

#include <filesystem>
#include <string>

#include "base/json_file.h"

namespace kinglet::convert {

struct SourcePaths {
  std::filesystem::path folder;
  std::filesystem::path weights;  // empty: whatever the folder has
};

// Throws Error when there is nothing of the kind at `source`.
SourcePaths find_source(const std::filesystem::path& source);

// Where a checkpoint came from, without the paths of this machine: the name of its folder, or what a hub cache
// (models--OWNER--NAME/snapshots/REVISION) says.
std::string provenance_of(const std::filesystem::path& folder);

// config.json, or what the original releases have in its place. Throws Error without one, and for adapters.
JsonObject load_config(const std::filesystem::path& folder);

}  // namespace kinglet::convert
