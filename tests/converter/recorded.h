// Recorded outputs of a checkpoint (expected.json beside it), and converted files held against them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fixtures.h"
#include "support/checkpoints.h"

namespace kinglet::test {

using OutputsByName = std::map<std::string, std::vector<float>>;

// Options of a session that gives the raw outputs.
kinglet_session_options raw_outputs();

// All outputs for one sequence, by name.
OutputsByName run_ids(OpenSession& open, const std::vector<int32_t>& ids, const std::vector<int32_t>& type_ids);

// The largest difference, as a share of what is allowed in fp32: 5e-5 of the largest number, or of 1.
double distance(const std::vector<double>& expected, const float* actual);

// The ids and type ids of a recorded case; zeros where no type ids were recorded.
std::vector<int32_t> recorded_ids(const Json& entry);
std::vector<int32_t> recorded_types(const Json& entry);

// A copy, in `folder`, of a checkpoint without its tokenizer: links to config.json and to the weights. Returns it.
std::filesystem::path without_tokenizer(const std::filesystem::path& checkpoint, const std::filesystem::path& folder);

// Every recorded output of every case of `checkpoint` against the model `file`, which must have no other outputs: with
// `least_cosine` 0 closely, or else by the cosine of outputs of more than 8 numbers.
void check_recorded(const std::filesystem::path& checkpoint, const std::filesystem::path& file,
                    double least_cosine = 0);

}  // namespace kinglet::test
