// The kernel paths that exist, by name. Which of them this processor can run is the runtime's question
// (runtime/cpu); kernels are pure functions and detect nothing.
#pragma once

#include <cstddef>

namespace kinglet::kernels {

enum class Isa : unsigned char {
  reference,
  avx2,
  avx_vnni,
  avx512_vnni,
  amx_int8,
  neon,
  neon_dotprod,
  neon_i8mm,
  wasm_simd128,
};
inline constexpr size_t kIsaCount = 9;

constexpr const char* isa_name(Isa isa) {
  constexpr const char* kNames[kIsaCount] = {"reference", "avx2",         "avx_vnni",  "avx512_vnni", "amx_int8",
                                             "neon",      "neon_dotprod", "neon_i8mm", "wasm_simd128"};
  return kNames[static_cast<size_t>(isa)];
}

}  // namespace kinglet::kernels
