// Which tables of the list this processor can run, for tests and benchmarks of the kernels alone (the runtime has its
// own detection, runtime/cpu).
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

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
    case Isa::avx_vnni: {  // by CPUID, for clang 14 does not know its name
      unsigned a = 0, b = 0, c = 0, d = 0;
      return __builtin_cpu_supports("avx2") && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a & 0x10) != 0;
    }
#elif defined(__aarch64__)
    case Isa::neon:
      return true;
#if defined(__linux__)
    case Isa::neon_dotprod:
      return (getauxval(AT_HWCAP) & 1ul << 20) != 0;  // HWCAP_ASIMDDP
    case Isa::neon_i8mm:
      return (getauxval(AT_HWCAP) & 1ul << 20) != 0 && (getauxval(AT_HWCAP2) & 1ul << 13) != 0;  // HWCAP2_I8MM
#endif
#elif defined(__wasm__)
    case Isa::wasm_simd128:  // an engine without it does not load the module
      return true;
#endif
    default:
      return false;
  }
}

}  // namespace kinglet::kernels::test
