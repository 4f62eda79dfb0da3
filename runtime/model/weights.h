// The pass over the weights section: checksums and the values that no kernel may meet.
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"
#include "model/file.h"
#include "model_generated.h"

namespace kinglet {

// Reads the weights section of `file` once, from beginning to end, through a small buffer (never through the mapping)
// and refuses: a block whose checksum is not the recorded one, −128 in s8 tensors, bytes other than 0 in the padding
// of tiles and of the vectors of s8 matrices, infinities and NaNs in f32 tensors. `by_offset`: tensor ids in file
// order, none overlapping (model/validate.h). BAD_MODEL, IO_ERROR, OUT_OF_MEMORY.
// `compare_checksums` false (the fuzzer only): the checksums are computed and not compared.
kinglet_status check_weights(const File& file, uint64_t weights_offset, uint64_t weights_size,
                             const fmt::Model& model, const Buffer<uint32_t>& by_offset, bool compare_checksums,
                             Error& error);

}  // namespace kinglet
