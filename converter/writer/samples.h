// The samples that a file checks itself with: what the file itself gives when it is run.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/model_ir.h"
#include "writer/table.h"

namespace kinglet::convert {

inline constexpr uint32_t kMaxSampleTokens = 48;
inline constexpr uint32_t kMaxSampleValues = 64;

// Samples of the largest size that record_samples can return, to plan the table's size with.
std::vector<Sample> largest_samples(const ModelIR& model);

// Runs three short texts (or, without a tokenizer, made-up ids) through the finished model in descriptor `fd`, by the
// C API, and records the first numbers of its first output. int8 programs give the same bits everywhere; fp32 ones get
// a tolerance. Throws Error that names `path`, the output, when the model does not open or run.
std::vector<Sample> record_samples(const ModelIR& model, bool exact, int fd, const std::string& path);

}  // namespace kinglet::convert
