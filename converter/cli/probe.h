// What this machine can do at most: measured, so that a benchmark can say how much of it was used.
#pragma once

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

// 10⁹ bytes per second that `threads` threads read at once from memory far larger than the caches.
double probe_bandwidth(uint32_t threads);

}  // namespace kinglet::cli
