// Scalar elementary functions, plain and exact to the bit: the specification of the vector versions in generic.h.
// Everything here has internal linkage, and no libm is called (__builtin_sqrtf is one instruction).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "elementwise/polynomials.h"

#if defined(__FAST_MATH__)
#error "kernels need exact floating-point semantics: compile without -ffast-math"
#endif

namespace kinglet::kernels {
namespace {

[[maybe_unused]] inline uint32_t bits_of(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  return bits;
}

[[maybe_unused]] inline float float_of(uint32_t bits) {
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}

[[maybe_unused]] inline bool is_finite(float x) { return (bits_of(x) & 0x7FFFFFFFu) < 0x7F800000u; }

// clang makes fmax or fmin of a comparison with the constant 0 on aarch64 and WebAssembly, and they tell −0 from 0.
[[maybe_unused]] inline void hide_constants([[maybe_unused]] float& a, [[maybe_unused]] float& b) {
#if defined(__clang__) && defined(__aarch64__)
  asm("" : "+w"(a), "+w"(b));
#elif defined(__wasm__)
  asm("" : "+r"(a), "+r"(b));
#endif
}
[[maybe_unused]] inline float max_of(float a, float b) {
  hide_constants(a, b);
  return a < b ? b : a;
}
[[maybe_unused]] inline float min_of(float a, float b) {
  hide_constants(a, b);
  return b < a ? b : a;
}
[[maybe_unused]] inline float absolute(float x) { return float_of(bits_of(x) & 0x7FFFFFFFu); }

// Rounds to nearest, ties to even; |x| <= 2²².
[[maybe_unused]] inline int32_t round_to_int(float x) {
  return static_cast<int32_t>(bits_of(x + kRound) - kRoundBits);
}

template <size_t N>
inline float horner(const float (&c)[N], float x) {
  float p = c[N - 1];
  for (size_t i = N - 1; i-- > 0;) {
    p = p * x + c[i];
  }
  return p;
}

// 2ⁿ for the n in the low bits of n + kRound, -126 <= n <= 127.
[[maybe_unused]] inline float power_of_two(uint32_t n) { return float_of((n + 127u) << 23); }

// 255·2ˣ for x <= 0, degree 3.
[[maybe_unused]] inline float fast_exp2_255(float x) {
  x = max_of(x, kFastExp2Min);
  const float shifted = x + kRound;
  const float f = x - (shifted - kRound);
  const float p = 255.0f + f * horner(kFastExp2, f);
  return float_of(bits_of(p) + (bits_of(shifted) << 23));
}

// 2ˣ for x <= 0 (and no smaller result than 2⁻¹²⁶).
[[maybe_unused]] inline float exp2_negative(float x) {
  x = max_of(x, kExp2Min);
  const float shifted = x + kRound;
  const float f = x - (shifted - kRound);
  const float p = 1.0f + f * horner(kExp2, f);
  return p * power_of_two(bits_of(shifted) - kRoundBits);
}

[[maybe_unused]] inline float exponential(float x) {
  x = min_of(x, kExpMax);
  x = max_of(x, kExpMin);
  const float shifted = x * kLog2E + kRound;
  const float n = shifted - kRound;
  const float f = (x - n * kLn2High) - n * kLn2Low;
  const float p = 1.0f + (f + f * f * horner(kExp, f));
  // Two exact steps, so that 2¹²⁸ and results below the normal range come out right.
  const uint32_t exponent = bits_of(shifted) - kRoundBits;
  const uint32_t half = static_cast<uint32_t>(static_cast<int32_t>(exponent) >> 1);
  return p * power_of_two(half) * power_of_two(exponent - half);
}

[[maybe_unused]] inline float sigmoid(float x) { return 1.0f / (1.0f + exponential(-x)); }

[[maybe_unused]] inline float hyperbolic_tangent(float x) {
  const float a = absolute(x);
  const float square = x * x;
  const float small = x + x * square * horner(kTanh, square);
  const float large = 1.0f - 2.0f / (exponential(a + a) + 1.0f);
  return a <= kTanhSmall ? small : float_of(bits_of(large) | (bits_of(x) & 0x80000000u));
}

[[maybe_unused]] inline float gelu(float x) {
  const float a = absolute(x);
  const float b = min_of(a, kGeluTailEnd);
  const float tail = a <= kGeluTailEnd ? a * exp2_negative(b * horner(kGeluTail, b) - 1.0f) : 0.0f;
  return max_of(x, 0.0f) - tail;
}

[[maybe_unused]] inline float fast_gelu(float x) {
  const float t = max_of(min_of(x, 4.0f), -4.0f);
  return x * (0.5f + t * horner(kFastGelu, t * t));
}

[[maybe_unused]] inline float gelu_tanh(float x) {
  return x / (1.0f + exponential(-(kGeluTanhScale * (x + kGeluTanhCube * (x * x * x)))));
}

[[maybe_unused]] inline float silu(float x) { return x / (1.0f + exponential(-x)); }

// The fixed tree of every sum of floats: lane[i % 32] += x[i] from +0.0, then halves are added, 16 + 16, 8 + 8, … .
struct LaneSum {
  float lane[32] = {};

  void add(size_t index, float x) { lane[index % 32] += x; }
  float total() const {
    float sums[32];
    std::memcpy(sums, lane, sizeof sums);
    for (size_t half = 16; half > 0; half /= 2) {
      for (size_t i = 0; i < half; ++i) {
        sums[i] += sums[i + half];
      }
    }
    return sums[0];
  }
};

}  // namespace
}  // namespace kinglet::kernels
