// Native operations of 128-bit NEON (aarch64) that the compilers' vector extensions lack or spoil (vec.h). No estimate
// and no fmin or fmax: division and square root are exact, minimum and maximum are compare-and-select.
#pragma once

#include <arm_neon.h>

#include "simd/types.h"

namespace kinglet::kernels {
namespace {

typedef uint8_t Bytes16 __attribute__((vector_size(16)));

// clang makes fmax or fmin of a comparison with the constant 0, and they tell −0 from 0.
KINGLET_INLINE void hide_constants([[maybe_unused]] NativeFloat& a, [[maybe_unused]] NativeFloat& b) {
#if defined(__clang__)
  asm("" : "+w"(a), "+w"(b));
#endif
}
KINGLET_INLINE NativeFloat max_of(NativeFloat a, NativeFloat b) {
  hide_constants(a, b);
  return (NativeFloat)vbslq_f32(vcltq_f32(a, b), b, a);
}
KINGLET_INLINE NativeFloat min_of(NativeFloat a, NativeFloat b) {
  hide_constants(a, b);
  return (NativeFloat)vbslq_f32(vcltq_f32(b, a), b, a);
}
KINGLET_INLINE NativeInt signed_max(NativeInt a, NativeInt b) { return (NativeInt)vmaxq_s32(a, b); }
KINGLET_INLINE NativeInt unsigned_max(NativeInt a, NativeInt b) {
  return (NativeInt)vmaxq_u32((uint32x4_t)a, (uint32x4_t)b);
}
KINGLET_INLINE NativeFloat broadcast(float x) { return (NativeFloat)vdupq_n_f32(x); }
KINGLET_INLINE NativeInt broadcast_int(int32_t x) { return (NativeInt)vdupq_n_s32(x); }

KINGLET_INLINE NativeFloat load_native(const float* p, Part part) {
  float32x4_t x = vdupq_n_f32(0.0f);
  if (part.count >= 4) {
    x = vld1q_f32(p);
  } else if (part.count >= 2) {
    x = vcombine_f32(vld1_f32(p), vdup_n_f32(0.0f));
    if (part.count == 3) {
      x = vld1q_lane_f32(p + 2, x, 2);
    }
  } else if (part.count == 1) {
    x = vld1q_lane_f32(p, x, 0);
  }
  return (NativeFloat)x;
}
KINGLET_INLINE void store_native(float* p, NativeFloat x, Part part) {
  if (part.count >= 4) {
    vst1q_f32(p, x);
  } else if (part.count >= 2) {
    vst1_f32(p, vget_low_f32(x));
    if (part.count == 3) {
      vst1q_lane_f32(p + 2, x, 2);
    }
  } else if (part.count == 1) {
    vst1q_lane_f32(p, x, 0);
  }
}

// Sixteen numbers saturated to int8, as bytes.
KINGLET_INLINE Bytes16 narrow_16(NativeInt a, NativeInt b, NativeInt c, NativeInt d) {
  const int16x8_t low = vqmovn_high_s32(vqmovn_s32(a), b);
  const int16x8_t high = vqmovn_high_s32(vqmovn_s32(c), d);
  return (Bytes16)vqmovn_high_s16(vqmovn_s16(low), high);
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
KINGLET_INLINE NativeInt widen(const int8_t* p) {
  uint32_t four;
  std::memcpy(&four, p, sizeof four);
  return (NativeInt)vmovl_s16(vget_low_s16(vmovl_s8(vcreate_s8(four))));
}
// a0 b0 a1 b1 … into 2·kNative lanes of memory.
KINGLET_INLINE void store_interleaved(void* p, NativeInt a, NativeInt b) {
  vst1q_s32(static_cast<int32_t*>(p), vzip1q_s32(a, b));
  vst1q_s32(static_cast<int32_t*>(p) + 4, vzip2q_s32(a, b));
}

// Lanes 2 and 3 in 0 and 1; lane 1 in 0.
KINGLET_INLINE Float4 upper_half(Float4 x) { return (Float4)vextq_f32(x, x, 2); }
KINGLET_INLINE Float4 second_lane(Float4 x) { return (Float4)vextq_f32(x, x, 1); }

}  // namespace
}  // namespace kinglet::kernels
