// The semantic pass: what the FlatBuffers Verifier cannot know. After it every id, shape, offset and enum value of the
// table is in range, and the shapes of the whole program fit together, so the plan and the executor check nothing.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"
#include "model_generated.h"

namespace kinglet {

// Limits that keep all later arithmetic within 64 bits, and an absurd file from costing much.
inline constexpr uint32_t kMaxItems = 1 << 16;       // tensors, matrices, norms, values, steps
inline constexpr uint32_t kMaxNames = 256;           // outputs, prompts, passes, accuracies
inline constexpr uint32_t kMaxWidth = 1 << 20;       // columns of a value, rows of a matrix (a vocabulary's logits)
inline constexpr uint32_t kMaxInner = 1 << 16;       // k of a matrix: 65,536·127·128 fits int32
inline constexpr uint32_t kMaxHeads = 1 << 10;
inline constexpr uint32_t kMaxTokens = 1 << 16;      // max_length
inline constexpr uint32_t kMaxVocabulary = 1 << 24;
inline constexpr uint32_t kMaxTypes = 1 << 16;
inline constexpr uint32_t kMaxEmbedTables = 16;
inline constexpr uint32_t kMaxNeighbours = 64;       // to each side
inline constexpr uint32_t kMaxSamples = 1 << 6;
inline constexpr uint32_t kMaxSampleValues = 1 << 20;
inline constexpr size_t kMaxName = 256;              // bytes
inline constexpr size_t kMaxText = 1 << 16;          // bytes

// Checks a table that the Verifier has accepted against itself and a weights section of `weights_size` bytes.
// `by_offset` receives the tensor ids in the order in which they lie in the file. BAD_MODEL, UNSUPPORTED (an operation
// or precision of a later version) or OUT_OF_MEMORY, with a message that names the entry, the field, what was found
// and what was expected.
kinglet_status validate(const fmt::Model& model, uint64_t weights_size, Buffer<uint32_t>& by_offset, Error& error);

}  // namespace kinglet
