// Which tables of the list this processor can run, for tests and benchmarks of the kernels alone (the runtime has its
// own detection, runtime/cpu).
#pragma once

#include "kernels.h"

namespace kinglet::kernels::test {

inline bool processor_supports(Isa isa) {
  switch (isa) {
    case Isa::reference:
      return true;
#if defined(__x86_64__)
    case Isa::avx2:
      return __builtin_cpu_supports("avx2");
    case Isa::avx512_vnni:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vnni");
#endif
    default:
      return false;
  }
}

}  // namespace kinglet::kernels::test
