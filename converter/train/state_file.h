// A training run's state in one file: where it stands, as JSON, and arrays of numbers. The file is replaced as a whole
// (writer/output_file.h), so that a process killed at any moment leaves the old state or the new one.
//
//   "KINGTRN1" | u64 bytes of JSON | u64 bytes of numbers | JSON | numbers, f32 | u64 checksum of JSON and numbers
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/json_file.h"

namespace kinglet::train {

struct StateArray {
  std::string name;
  size_t size = 0;
};

// `read` gives the numbers of array i. Throws convert::Error; a full disk leaves the old file.
void write_state(const std::filesystem::path& path, const convert::Json& facts, const std::vector<StateArray>& arrays,
                 const std::function<std::vector<float>(size_t i)>& read);

// Calls `write` with the numbers of every array, which must be named and sized as `arrays` says, and returns the facts;
// nothing when there is no file. Throws convert::Error for a damaged file, and for one of other arrays.
std::optional<convert::Json> read_state(const std::filesystem::path& path, const std::vector<StateArray>& arrays,
                                        const std::function<void(size_t i, std::vector<float> numbers)>& write);

// Only the facts; nothing is checked but the header.
std::optional<convert::Json> read_state_facts(const std::filesystem::path& path);

}  // namespace kinglet::train
