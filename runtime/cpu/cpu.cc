// Detection is our own because Debian 12's cpuinfo knows neither AVX-VNNI nor i8mm and exists as a shared library only.
#include "cpu/cpu.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#if defined(__linux__) || defined(__APPLE__)
#include <unistd.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace kinglet {
namespace {

using kernels::Isa;
using kernels::Kernels;

#if defined(__x86_64__)

struct X86Features {
  bool avx2 = false, avx_vnni = false, avx512_vnni = false, amx_int8 = false;
};

// Intel SDM vol. 1, 14.3: a vector extension is usable when CPUID has it and XCR0 says the system saves its registers.
X86Features detect_x86() {
  X86Features features;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & bit_OSXSAVE) == 0 || (c & bit_FMA) == 0) {
    return features;
  }
  unsigned xcr0_low = 0, xcr0_high = 0;
  __asm__("xgetbv" : "=a"(xcr0_low), "=d"(xcr0_high) : "c"(0));
  const bool ymm_saved = (xcr0_low & 0x06) == 0x06;
  const bool zmm_saved = (xcr0_low & 0xe6) == 0xe6;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
    return features;
  }
  const unsigned leaves = a;
  features.avx2 = ymm_saved && (b & bit_AVX2) != 0;
  const unsigned avx512 = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
  features.avx512_vnni = zmm_saved && (b & avx512) == avx512 && (c & bit_AVX512VNNI) != 0;
  constexpr unsigned kAmxTile = 1u << 24, kAmxInt8 = 1u << 25;
  const bool tiles_saved = (xcr0_low & 0x60000) == 0x60000;
  features.amx_int8 = features.avx512_vnni && tiles_saved && (d & kAmxTile) != 0 && (d & kAmxInt8) != 0;
  if (leaves >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) {
    features.avx_vnni = features.avx2 && (a & (1u << 4)) != 0;
  }
  return features;
}

// Linux saves the tiles of a process that has asked for them (Documentation/arch/x86/xstate.rst); its threads inherit
// the permission. Refused where the kernel is older than 5.16 or a signal stack too small.
bool tiles_permitted() {
#if defined(__linux__)
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
#else
  return false;
#endif
}

bool detect(Isa isa) {
  const X86Features features = detect_x86();
  if (isa == Isa::amx_int8) {
    return features.amx_int8 && tiles_permitted();
  }
  return isa == Isa::reference || (isa == Isa::avx2 && features.avx2) ||
         (isa == Isa::avx_vnni && features.avx_vnni) || (isa == Isa::avx512_vnni && features.avx512_vnni);
}

#elif defined(__aarch64__) && defined(__linux__)

// Bits of AT_HWCAP and AT_HWCAP2 in the kernel's arm64 interface (asm/hwcap.h, which Debian 12 has in part).
bool detect(Isa isa) {
  constexpr unsigned long kAsimdDp = 1ul << 20;
  constexpr unsigned long kI8mm = 1ul << 13;
  const bool dot = (getauxval(AT_HWCAP) & kAsimdDp) != 0;
  return isa == Isa::reference || isa == Isa::neon || (isa == Isa::neon_dotprod && dot) ||
         (isa == Isa::neon_i8mm && dot && (getauxval(AT_HWCAP2) & kI8mm) != 0);
}

#elif defined(__aarch64__) && defined(__APPLE__)

bool sysctl_flag(const char* name) {
  int value = 0;
  size_t size = sizeof(value);
  return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
}

bool detect(Isa isa) {
  const bool dot = sysctl_flag("hw.optional.arm.FEAT_DotProd");
  return isa == Isa::reference || isa == Isa::neon || (isa == Isa::neon_dotprod && dot) ||
         (isa == Isa::neon_i8mm && dot && sysctl_flag("hw.optional.arm.FEAT_I8MM"));
}

#elif defined(__wasm__)

// An engine without SIMD does not load a module that has it.
bool detect(Isa isa) { return isa == Isa::reference || isa == Isa::wasm_simd128; }

#else

bool detect(Isa isa) { return isa == Isa::reference; }

#endif

// Best first.
constexpr Isa kPreference[] = {Isa::amx_int8,  Isa::avx512_vnni,  Isa::avx_vnni, Isa::avx2,        Isa::neon_i8mm,
                               Isa::neon_dotprod, Isa::neon, Isa::wasm_simd128, Isa::reference};

const Kernels* usable(Isa isa) { return cpu_supports(isa) ? kernels::kernels_for(isa) : nullptr; }

struct Choice {
  const Kernels* kernels = nullptr;
  const char* forced = nullptr;  // the value of KINGLET_ISA, when it is set
};

Choice choose() {
  Choice choice;
  choice.forced = std::getenv("KINGLET_ISA");
  if (choice.forced != nullptr && choice.forced[0] == '\0') {
    choice.forced = nullptr;
  }
  for (const Isa isa : kPreference) {
    if (choice.forced != nullptr && std::strcmp(choice.forced, kernels::isa_name(isa)) != 0) {
      continue;
    }
    choice.kernels = usable(isa);
    if (choice.kernels != nullptr) {
      break;
    }
  }
  return choice;
}

// Filled on first use. Two threads may both fill it, with the same values.
std::atomic<const Kernels*> chosen_kernels{nullptr};
std::atomic<const char*> forced_name{nullptr};
std::atomic<bool> chosen{false};

}  // namespace

bool cpu_supports(Isa isa) { return detect(isa); }

const Kernels* kernels_in_use() {
  if (!chosen.load(std::memory_order_acquire)) {
    const Choice choice = choose();
    chosen_kernels.store(choice.kernels, std::memory_order_relaxed);
    forced_name.store(choice.forced, std::memory_order_relaxed);
    chosen.store(true, std::memory_order_release);
  }
  return chosen_kernels.load(std::memory_order_relaxed);
}

kinglet_status choose_kernels(const Kernels** out, Error& error) {
  *out = kernels_in_use();
  if (*out != nullptr) {
    return KINGLET_OK;
  }
  char names[160] = "";
  size_t length = 0;
  for (const Isa isa : kPreference) {
    if (usable(isa) != nullptr) {
      const char* name = kernels::isa_name(isa);
      const size_t size = std::strlen(name);
      if (length + size + 2 < sizeof(names)) {
        if (length > 0) {
          names[length++] = ' ';
        }
        std::memcpy(names + length, name, size + 1);
        length += size;
      }
    }
  }
  return fail(error, KINGLET_UNSUPPORTED,
              "KINGLET_ISA=%.60s: this build or processor has no such kernel path; expected one of: %s",
              forced_name.load(std::memory_order_relaxed), names);
}

size_t l2_cache_bytes() {
  constexpr size_t kDefault = 512 * 1024;
#if defined(__linux__) && defined(_SC_LEVEL2_CACHE_SIZE)
  const long bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? static_cast<size_t>(bytes) : kDefault;
#else
  return kDefault;
#endif
}

}  // namespace kinglet
