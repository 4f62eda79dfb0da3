// Which tables of the list this processor can run, for tests and benchmarks of the kernels alone (the runtime has its
// own detection, runtime/cpu).
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif
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
#if defined(__linux__)
    case Isa::amx_int8: {  // clang 14 does not know its name; the system saves tiles on request
      unsigned a = 0, b = 0, c = 0, d = 0;
      constexpr unsigned kAmxTile = 1u << 24, kAmxInt8 = 1u << 25;
      return processor_supports(Isa::avx512_vnni) && __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 &&
             (d & kAmxTile) != 0 && (d & kAmxInt8) != 0 && syscall(SYS_arch_prctl, 0x1023, 18) == 0;
    }
#endif
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
