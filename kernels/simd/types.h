// What every vector backend starts from: which one these compile flags ask for, its native vectors, parts of blocks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__FAST_MATH__)
#error "kernels need exact floating-point semantics: compile without -ffast-math"
#endif
#if defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512DQ__)
#define KINGLET_VEC_AVX512 1
#elif defined(__AVX2__)
#define KINGLET_VEC_AVX2 1
#elif defined(__aarch64__) && defined(__ARM_NEON) && !defined(__AARCH64EB__)
#define KINGLET_VEC_NEON 1
#else
#error "no vector backend for these compile flags: see kernels/README.md"
#endif

#define KINGLET_INLINE [[gnu::always_inline, maybe_unused]] inline
// After the parameter list of a lambda.
#define KINGLET_INLINE_LAMBDA __attribute__((always_inline))

namespace kinglet::kernels {
namespace {

#if defined(KINGLET_VEC_AVX512)
constexpr int kNativeBytes = 64;
#elif defined(KINGLET_VEC_AVX2)
constexpr int kNativeBytes = 32;
#else
constexpr int kNativeBytes = 16;
#endif
constexpr int kNative = kNativeBytes / 4;

// Rows that row kernels take together, so that the chains of one row's sums do not wait for themselves.
constexpr int kRowsAtOnce = kNativeBytes / 16;

// Lanes that kernels without an order of sums take at a time: enough vectors to hide latency, few enough for the
// registers. And the lanes of their last, shorter blocks.
constexpr int kWide = kNativeBytes == 64 ? 64 : 32;
constexpr int kWideTail = kNativeBytes == 64 ? 16 : 32;

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef int32_t Int8 __attribute__((vector_size(32)));
typedef float NativeFloat __attribute__((vector_size(kNativeBytes)));
typedef int32_t NativeInt __attribute__((vector_size(kNativeBytes)));
typedef uint32_t NativeUnsigned __attribute__((vector_size(kNativeBytes)));

// How many lanes of a block exist: all, or the first `count`.
struct Full {};
struct Part {
  size_t count;
};

KINGLET_INLINE NativeInt lane_indices() {
  NativeInt indices;
  for (int i = 0; i < kNative; ++i) {
    indices[i] = i;
  }
  return indices;
}

// All bits of the first `count` lanes.
KINGLET_INLINE NativeInt lane_mask(size_t count) {
  return lane_indices() < (NativeInt{} + static_cast<int32_t>(count));
}

}  // namespace
}  // namespace kinglet::kernels
