// Native operations of WebAssembly's 128-bit SIMD (baseline, nothing relaxed) that the compiler's vector extensions
// lack or spoil (vec.h). pmax and pmin are compare-and-select; f32x4.max and min, which treat NaN and −0 otherwise,
// are not used.
#pragma once

#include <wasm_simd128.h>

#include "simd/types.h"

namespace kinglet::kernels {
namespace {

typedef uint8_t Bytes16 __attribute__((vector_size(16)));

// a < b ? b : a, and b < a ? b : a, as the specification defines them.
KINGLET_INLINE NativeFloat max_of(NativeFloat a, NativeFloat b) { return (NativeFloat)wasm_f32x4_pmax(a, b); }
KINGLET_INLINE NativeFloat min_of(NativeFloat a, NativeFloat b) { return (NativeFloat)wasm_f32x4_pmin(a, b); }
KINGLET_INLINE NativeInt signed_max(NativeInt a, NativeInt b) { return (NativeInt)wasm_i32x4_max(a, b); }
KINGLET_INLINE NativeInt unsigned_max(NativeInt a, NativeInt b) { return (NativeInt)wasm_u32x4_max(a, b); }
KINGLET_INLINE NativeFloat broadcast(float x) { return (NativeFloat)wasm_f32x4_splat(x); }
KINGLET_INLINE NativeInt broadcast_int(int32_t x) { return (NativeInt)wasm_i32x4_splat(x); }

KINGLET_INLINE NativeFloat load_native(const float* p, Part part) {
  v128_t x = wasm_f32x4_const(0.0f, 0.0f, 0.0f, 0.0f);
  if (part.count >= 4) {
    x = wasm_v128_load(p);
  } else if (part.count >= 2) {
    x = wasm_v128_load64_zero(p);
    if (part.count == 3) {
      x = wasm_v128_load32_lane(p + 2, x, 2);
    }
  } else if (part.count == 1) {
    x = wasm_v128_load32_zero(p);
  }
  return (NativeFloat)x;
}
KINGLET_INLINE void store_native(float* p, NativeFloat x, Part part) {
  if (part.count >= 4) {
    wasm_v128_store(p, x);
  } else if (part.count >= 2) {
    wasm_v128_store64_lane(p, x, 0);
    if (part.count == 3) {
      wasm_v128_store32_lane(p + 2, x, 2);
    }
  } else if (part.count == 1) {
    wasm_v128_store32_lane(p, x, 0);
  }
}

// Sixteen numbers saturated to int8, as bytes.
KINGLET_INLINE Bytes16 narrow_16(NativeInt a, NativeInt b, NativeInt c, NativeInt d) {
  return (Bytes16)wasm_i8x16_narrow_i16x8(wasm_i16x8_narrow_i32x4(a, b), wasm_i16x8_narrow_i32x4(c, d));
}
KINGLET_INLINE void store_16(void* p, Bytes16 x, Full) { std::memcpy(p, &x, 16); }
// All 16 bytes, the first 8, or none.
KINGLET_INLINE void store_16(void* p, Bytes16 x, Part part) {
  if (part.count >= 16) {
    std::memcpy(p, &x, 16);
  } else if (part.count >= 8) {
    std::memcpy(p, &x, 8);
  }
}
// The first or the second eight of sixteen numbers as int16 in 16 bytes of memory.
KINGLET_INLINE void store_wide(void* p, Bytes16 x, int half) {
  wasm_v128_store(p, half == 0 ? wasm_i16x8_extend_low_i8x16(x) : wasm_i16x8_extend_high_i8x16(x));
}
KINGLET_INLINE NativeInt widen(const int8_t* p) {
  const v128_t words = wasm_i16x8_extend_low_i8x16(wasm_v128_load32_zero(p));
  return (NativeInt)wasm_i32x4_extend_low_i16x8(words);
}
// a0 b0 a1 b1 … into 2·kNative lanes of memory.
KINGLET_INLINE void store_interleaved(void* p, NativeInt a, NativeInt b) {
  wasm_v128_store(p, wasm_i32x4_shuffle(a, b, 0, 4, 1, 5));
  wasm_v128_store(static_cast<char*>(p) + 16, wasm_i32x4_shuffle(a, b, 2, 6, 3, 7));
}

// Lanes 2 and 3 in 0 and 1; lane 1 in 0.
KINGLET_INLINE Float4 upper_half(Float4 x) { return (Float4)wasm_i32x4_shuffle(x, x, 2, 3, 2, 3); }
KINGLET_INLINE Float4 second_lane(Float4 x) { return (Float4)wasm_i32x4_shuffle(x, x, 1, 1, 1, 1); }

}  // namespace
}  // namespace kinglet::kernels
