// What the AVX-512 products share: correcting sums for unsigned activations and zero points, and writing them.
//
// The instructions multiply unsigned × signed: a_u8 = a_s8 + 128, so −128·Σ w belongs to every sum. What is left,
// −zp·Σ w, is one vpdpwssd on 16-bit halves: with c = −Σ w = 256·h + l, |c| < 2²³ and l in [0, 255],
// l·zp + h·(256·zp) is exact, for 256·zp fits int16.
#pragma once

#include "kernels.h"
#include "simd/x86.h"

namespace kinglet::kernels {
namespace {

// Of 16 outputs, from their column sums.
struct Correction {
  __m512i start;  // −128·Σ w
  __m512i pairs;  // −Σ w as pairs of int16
};

[[gnu::always_inline]] inline Correction correction_of(const int32_t* column_sum) {
  const __m512i c = _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_loadu_si512(column_sum));
  return {
      .start = _mm512_slli_epi32(c, 7),
      .pairs = _mm512_or_si512(_mm512_and_si512(c, _mm512_set1_epi32(0xFF)),
                               _mm512_and_si512(_mm512_slli_epi32(c, 8), _mm512_set1_epi32(~0xFFFF))),
  };
}

// The pair (zp, 256·zp).
[[gnu::always_inline]] inline uint32_t zero_pair(int32_t zero_point) {
  const auto bits = static_cast<uint32_t>(zero_point);
  return (bits & 0xFFFF) | bits << 24;
}

// sums += Σ of 2 products of int16 per lane. By hand, for gcc 12 copies the accumulator before and after the intrinsic.
[[gnu::always_inline]] inline void multiply_add_pairs(__m512i& sums, __m512i a, __m512i b) {
  asm("vpdpwssd\t{%2, %1, %0|%0, %1, %2}" : "+v"(sums) : "v"(a), "v"(b));
}

// The even and the odd 32-bit lanes of two vectors.
[[gnu::always_inline]] inline __m512i even_lanes(__m512i a, __m512i b) {
  const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
  return _mm512_permutex2var_epi32(a, even, b);
}
[[gnu::always_inline]] inline __m512i odd_lanes(__m512i a, __m512i b) {
  const __m512i odd = _mm512_set_epi32(31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
  return _mm512_permutex2var_epi32(a, odd, b);
}

// 16 outputs of a row.
struct Columns {
  __m512i pairs;
  __m512 scale, bias;
  __mmask16 mask;  // those that exist; the others are written as 0

  // bias: null for none. −0 added to a number is that number, its sign included.
  Columns() = default;
  [[gnu::always_inline]] Columns(__m512i correction, const float* column_scale, const float* column_bias,
                                 __mmask16 valid)
      : pairs(correction), scale(_mm512_loadu_ps(column_scale)),
        bias(column_bias != nullptr ? _mm512_loadu_ps(column_bias) : _mm512_set1_ps(-0.0f)), mask(valid) {}

  [[gnu::always_inline]] void write(__m512i sum, uint32_t zero_points, float row_scale, float* out) const {
    multiply_add_pairs(sum, pairs, _mm512_set1_epi32(static_cast<int>(zero_points)));
    const __m512 value = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(row_scale));
    _mm512_storeu_ps(out, _mm512_maskz_add_ps(mask, _mm512_mul_ps(value, scale), bias));
  }
};

}  // namespace
}  // namespace kinglet::kernels
