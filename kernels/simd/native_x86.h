// Native operations of AVX2 and AVX-512 that the compilers' vector extensions lack or spoil (vec.h).
#pragma once

#include "simd/types.h"
#include "simd/x86.h"

namespace kinglet::kernels {
namespace {

// a < b ? b : a, and b < a ? b : a: x86's max and min return their second operand when neither is larger.
KINGLET_INLINE Float4 max_of(Float4 a, Float4 b) { return _mm_max_ps(b, a); }
KINGLET_INLINE Float8 max_of(Float8 a, Float8 b) { return _mm256_max_ps(b, a); }
KINGLET_INLINE Float8 min_of(Float8 a, Float8 b) { return _mm256_min_ps(b, a); }
KINGLET_INLINE Int4 signed_max(Int4 a, Int4 b) { return (Int4)_mm_max_epi32((__m128i)a, (__m128i)b); }
KINGLET_INLINE Int8 signed_max(Int8 a, Int8 b) { return (Int8)_mm256_max_epi32((__m256i)a, (__m256i)b); }
KINGLET_INLINE Int4 unsigned_max(Int4 a, Int4 b) { return (Int4)_mm_max_epu32((__m128i)a, (__m128i)b); }
KINGLET_INLINE Int8 unsigned_max(Int8 a, Int8 b) { return (Int8)_mm256_max_epu32((__m256i)a, (__m256i)b); }

#if defined(KINGLET_VEC_AVX512)

KINGLET_INLINE NativeFloat max_of(NativeFloat a, NativeFloat b) { return _mm512_max_ps(b, a); }
KINGLET_INLINE NativeFloat min_of(NativeFloat a, NativeFloat b) { return _mm512_min_ps(b, a); }
KINGLET_INLINE NativeInt signed_max(NativeInt a, NativeInt b) {
  return (NativeInt)_mm512_max_epi32((__m512i)a, (__m512i)b);
}
KINGLET_INLINE NativeInt unsigned_max(NativeInt a, NativeInt b) {
  return (NativeInt)_mm512_max_epu32((__m512i)a, (__m512i)b);
}
KINGLET_INLINE __mmask16 mask_of(size_t count) { return static_cast<__mmask16>((1u << count) - 1); }
KINGLET_INLINE NativeFloat broadcast(float x) { return _mm512_set1_ps(x); }
KINGLET_INLINE NativeInt broadcast_int(int32_t x) { return (NativeInt)_mm512_set1_epi32(x); }
KINGLET_INLINE NativeFloat load_native(const float* p, Part part) {
  return _mm512_maskz_loadu_ps(mask_of(part.count), p);
}
KINGLET_INLINE void store_native(float* p, NativeFloat x, Part part) {
  _mm512_mask_storeu_ps(p, mask_of(part.count), x);
}
// Saturates the lanes to int8 and writes the first `count` of them, every byte exclusive-ored with `flip`.
KINGLET_INLINE void narrow(void* p, NativeInt x, unsigned char flip, Part part) {
  const __m128i bytes = _mm512_cvtsepi32_epi8((__m512i)x);
  _mm_mask_storeu_epi8(p, mask_of(part.count), _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
}
KINGLET_INLINE void narrow(void* p, NativeInt x, unsigned char flip, Full) {
  const __m128i bytes = _mm512_cvtsepi32_epi8((__m512i)x);
  _mm_storeu_si128(static_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(static_cast<char>(flip))));
}
// 64 lanes: two packs within 128-bit lanes and one permutation cost half of four narrowings.
KINGLET_INLINE void narrow_64(void* p, NativeInt a, NativeInt b, NativeInt c, NativeInt d, unsigned char flip) {
  const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
  const __m512i words = _mm512_packs_epi32((__m512i)a, (__m512i)b);
  const __m512i bytes = _mm512_packs_epi16(words, _mm512_packs_epi32((__m512i)c, (__m512i)d));
  _mm512_storeu_si512(p, _mm512_xor_si512(_mm512_permutexvar_epi32(order, bytes),
                                          _mm512_set1_epi8(static_cast<char>(flip))));
}
KINGLET_INLINE NativeInt widen(const int8_t* p) {
  return (NativeInt)_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
KINGLET_INLINE Float8 halve(NativeFloat x, int half) {
  return half == 0 ? _mm512_castps512_ps256(x) : _mm512_extractf32x8_ps(x, 1);
}
// a0 b0 a1 b1 … into 2·kNative lanes of memory.
KINGLET_INLINE void store_interleaved(void* p, NativeInt a, NativeInt b) {
  const __m512i first = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  const __m512i second = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
  _mm512_storeu_si512(p, _mm512_permutex2var_epi32((__m512i)a, first, (__m512i)b));
  _mm512_storeu_si512(static_cast<char*>(p) + 64, _mm512_permutex2var_epi32((__m512i)a, second, (__m512i)b));
}

#elif defined(KINGLET_VEC_AVX2)

KINGLET_INLINE NativeFloat broadcast(float x) { return _mm256_set1_ps(x); }
KINGLET_INLINE NativeInt broadcast_int(int32_t x) { return (NativeInt)_mm256_set1_epi32(x); }
KINGLET_INLINE NativeFloat load_native(const float* p, Part part) {
  return _mm256_maskload_ps(p, (__m256i)lane_mask(part.count));
}
KINGLET_INLINE void store_native(float* p, NativeFloat x, Part part) {
  _mm256_maskstore_ps(p, (__m256i)lane_mask(part.count), x);
}
KINGLET_INLINE __m128i narrow_to_8(NativeInt x, unsigned char flip) {
  const __m256i words = _mm256_packs_epi32((__m256i)x, (__m256i)x);
  const __m128i lanes = _mm_unpacklo_epi64(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  return _mm_xor_si128(_mm_packs_epi16(lanes, lanes), _mm_set1_epi8(static_cast<char>(flip)));
}
// Saturates the lanes (of int16's range) to int8 and writes the first `count` of them, all 8 or none.
KINGLET_INLINE void narrow(void* p, NativeInt x, unsigned char flip, Part part) {
  if (part.count != 0) {
    _mm_storel_epi64(static_cast<__m128i*>(p), narrow_to_8(x, flip));
  }
}
KINGLET_INLINE void narrow(void* p, NativeInt x, unsigned char flip, Full) {
  _mm_storel_epi64(static_cast<__m128i*>(p), narrow_to_8(x, flip));
}
KINGLET_INLINE NativeInt widen(const int8_t* p) {
  return (NativeInt)_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
KINGLET_INLINE Float4 halve(NativeFloat x, int half) {
  return half == 0 ? _mm256_castps256_ps128(x) : _mm256_extractf128_ps(x, 1);
}
KINGLET_INLINE void store_interleaved(void* p, NativeInt a, NativeInt b) {
  const __m256i low = _mm256_unpacklo_epi32((__m256i)a, (__m256i)b);
  const __m256i high = _mm256_unpackhi_epi32((__m256i)a, (__m256i)b);
  auto* out = static_cast<__m256i*>(p);
  _mm256_storeu_si256(out, _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(low, high, 0x31));
}

#endif

#if defined(KINGLET_VEC_AVX512)
KINGLET_INLINE Float4 halve(Float8 x, int half) {
  return half == 0 ? _mm256_castps256_ps128(x) : _mm256_extractf128_ps(x, 1);
}
#endif

// Lanes 2 and 3 in 0 and 1; lane 1 in 0.
KINGLET_INLINE Float4 upper_half(Float4 x) { return _mm_movehl_ps(x, x); }
KINGLET_INLINE Float4 second_lane(Float4 x) { return _mm_shuffle_ps(x, x, 1); }

}  // namespace
}  // namespace kinglet::kernels
