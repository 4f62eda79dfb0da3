// Which kernel path this process runs, and the cache sizes that the plan wants to know.
#pragma once

#include <cstddef>

#include "base/error.h"
#include "kernels.h"

namespace kinglet {

// True when the processor and the operating system can run `isa` (register state included).
bool cpu_supports(kernels::Isa isa);

// The kernels to use: the best path that the processor runs and the build contains, or the one that the environment
// variable KINGLET_ISA names. Null when that name is unknown, not built or not supported. Decided once; thread-safe.
const kernels::Kernels* kernels_in_use();

// As kernels_in_use, with the reason when there are none: UNSUPPORTED.
kinglet_status choose_kernels(const kernels::Kernels** out, Error& error);

// Bytes of one core's second-level cache; 512 KiB when the system does not tell.
size_t l2_cache_bytes();

}  // namespace kinglet
