// What this machine can do at most: measured, so that a benchmark can say how much of it was used.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace kinglet::cli {

struct Peak {
  double gops = 0;          // 10⁹ operations (a multiplication and an addition are two) per second; 0: no probe
  std::string instruction;  // the instruction that was timed
};

// Times the multiply-add instruction of kernel path `isa` (a name as in KINGLET_ISA) on registers, on `threads` threads
// at once. About a quarter of a second. The int8 paths of wasm and reference have none.
Peak probe_int8(const std::string& isa, uint32_t threads);
// The fp32 fused multiply-add of the widest registers that this processor has.
Peak probe_fp32(uint32_t threads);

// What the parts of an int8 program cost that are no matrix product: seconds per element when all threads do nothing
// else, with the kernels in use on numbers in the first-level cache.
struct ElementCosts {
  double softmax = 0;  // scores to 8-bit probabilities
  double gelu = 0;     // GELU and quantisation of a feed-forward's inner row
};
ElementCosts probe_elements(uint32_t threads);

// 10⁹ bytes per second that `threads` threads read at once from a mapped file of `bytes` bytes, again and again: what
// fits a cache comes from there, as the weights of a model do. 0: no temporary file could be made.
double probe_bandwidth(size_t bytes, uint32_t threads);

}  // namespace kinglet::cli
