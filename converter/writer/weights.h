// The weights section: tensors are read, rounded and written a few rows at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "writer/layout.h"
#include "writer/output_file.h"

namespace kinglet::convert {

// Writes all blocks of `layout` from `offset` of the file on, and returns the checksum of each MiB. `progress` is
// called with the fraction done. Throws Error when a tensor cannot be read or holds numbers that are not finite, or
// the file cannot be written.
std::vector<uint64_t> write_weights(const ModelIR& model, const Layout& layout, uint64_t offset, OutputFile& file,
                                    const std::function<void(double)>& progress);

}  // namespace kinglet::convert
