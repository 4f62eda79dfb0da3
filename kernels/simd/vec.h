// The thin vector type of all generic.h files: Floats<N> and Ints<N> are N lanes, built by halves down to the native
// vector of the ISA that this file is compiled for (AVX-512: 16 lanes, AVX2: 8). Built on the vector extensions of gcc
// and clang; intrinsics serve where those compile badly.
//
// The order of every sum of floats. A row runs over 32 virtual lanes: lane[i % 32] += x[i], tail lanes add +0.0, and
// one fixed tree ends it: lane[i] += lane[i + 16] for i < 16, then + 8, + 4, + 2, + 1. Floats<32> is those 32 lanes on
// every ISA, and total() is the tree (Floats<N>::low + Floats<N>::high is its first step), hence the same bits.
//
// Everything is in an anonymous namespace and always inlined: a function compiled with ISA flags must never be the
// copy that the linker keeps for a file without them.
//
// A new ISA gives: kNativeBytes, max_of, min_of, load and store of parts, and narrow.
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
#else
#error "no vector backend for these compile flags: see kernels/README.md"
#endif

#include "simd/x86.h"

#define KINGLET_INLINE [[gnu::always_inline, maybe_unused]] inline
// After the parameter list of a lambda.
#define KINGLET_INLINE_LAMBDA __attribute__((always_inline))

namespace kinglet::kernels {
namespace {

#if defined(KINGLET_VEC_AVX512)
constexpr int kNativeBytes = 64;
#else
constexpr int kNativeBytes = 32;
#endif
constexpr int kNative = kNativeBytes / 4;

// Rows that row kernels take together, so that the chains of one row's sums do not wait for themselves.
constexpr int kRowsAtOnce = kNativeBytes / 16;

typedef float Float4 __attribute__((vector_size(16)));
typedef int32_t Int4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef int32_t Int8 __attribute__((vector_size(32)));
typedef float NativeFloat __attribute__((vector_size(kNativeBytes)));
typedef int32_t NativeInt __attribute__((vector_size(kNativeBytes)));
typedef uint32_t NativeUnsigned __attribute__((vector_size(kNativeBytes)));

template <int N>
struct Floats {
  static_assert(N > kNative && N % kNative == 0);
  Floats<N / 2> low, high;
};
template <>
struct Floats<kNative> {
  NativeFloat v;
};
template <int N>
struct Ints {
  static_assert(N > kNative && N % kNative == 0);
  Ints<N / 2> low, high;
};
template <>
struct Ints<kNative> {
  NativeInt v;
};

// How many lanes of a block exist: all, or the first `count`.
struct Full {};
struct Part {
  size_t count;
};
KINGLET_INLINE Full low_part(Full, int) { return {}; }
KINGLET_INLINE Full high_part(Full, int) { return {}; }
KINGLET_INLINE Part low_part(Part part, size_t half) { return {part.count < half ? part.count : half}; }
KINGLET_INLINE Part high_part(Part part, size_t half) { return {part.count < half ? 0 : part.count - half}; }

// body(first index, Full or Part) over blocks of N of n elements.
template <int N, typename Body>
KINGLET_INLINE void for_blocks(size_t n, Body body) {
  size_t i = 0;
  for (; i + N <= n; i += N) {
    body(i, Full{});
  }
  if (i < n) {
    body(i, Part{n - i});
  }
}

// ---- Native operations that the compilers' vector extensions lack or spoil -------------------------------------------

// a < b ? b : a, and b < a ? b : a: x86's max and min return their second operand when neither is larger.
KINGLET_INLINE Float4 max_of(Float4 a, Float4 b) { return _mm_max_ps(b, a); }
KINGLET_INLINE Float8 max_of(Float8 a, Float8 b) { return _mm256_max_ps(b, a); }
KINGLET_INLINE Float8 min_of(Float8 a, Float8 b) { return _mm256_min_ps(b, a); }
KINGLET_INLINE Int4 signed_max(Int4 a, Int4 b) { return (Int4)_mm_max_epi32((__m128i)a, (__m128i)b); }
KINGLET_INLINE Int8 signed_max(Int8 a, Int8 b) { return (Int8)_mm256_max_epi32((__m256i)a, (__m256i)b); }
KINGLET_INLINE Int4 unsigned_max(Int4 a, Int4 b) { return (Int4)_mm_max_epu32((__m128i)a, (__m128i)b); }
KINGLET_INLINE Int8 unsigned_max(Int8 a, Int8 b) { return (Int8)_mm256_max_epu32((__m256i)a, (__m256i)b); }

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

// ---- Lanes ---------------------------------------------------------------------------------------------------------

template <int N>
KINGLET_INLINE Floats<N> set(float x) {
  if constexpr (N == kNative) {
    return {broadcast(x)};
  } else {
    return {set<N / 2>(x), set<N / 2>(x)};
  }
}

template <int N>
KINGLET_INLINE Ints<N> set_int(int32_t x) {
  if constexpr (N == kNative) {
    return {broadcast_int(x)};
  } else {
    return {set_int<N / 2>(x), set_int<N / 2>(x)};
  }
}

// The expression of native operands a.v (and b.v), lane by lane.
#define KINGLET_UNARY(result, name, operand, expression)                 \
  template <int N>                                                       \
  KINGLET_INLINE result<N> name(operand<N> a) {                          \
    if constexpr (N == kNative) {                                        \
      return {expression};                                               \
    } else {                                                             \
      return {name(a.low), name(a.high)};                                \
    }                                                                    \
  }
#define KINGLET_BINARY(result, name, operand, expression)                \
  template <int N>                                                       \
  KINGLET_INLINE result<N> name(operand<N> a, operand<N> b) {            \
    if constexpr (N == kNative) {                                        \
      return {expression};                                               \
    } else {                                                             \
      return {name(a.low, b.low), name(a.high, b.high)};                 \
    }                                                                    \
  }

KINGLET_BINARY(Floats, operator+, Floats, a.v + b.v)
KINGLET_BINARY(Floats, operator-, Floats, a.v - b.v)
KINGLET_BINARY(Floats, operator*, Floats, a.v * b.v)
KINGLET_BINARY(Floats, operator/, Floats, a.v / b.v)
KINGLET_BINARY(Floats, max_of, Floats, max_of(a.v, b.v))
KINGLET_BINARY(Floats, min_of, Floats, min_of(a.v, b.v))
KINGLET_BINARY(Ints, less, Floats, a.v < b.v)              // all bits or none
KINGLET_BINARY(Ints, less_equal, Floats, a.v <= b.v)
KINGLET_BINARY(Ints, operator+, Ints, (NativeInt)((NativeUnsigned)a.v + (NativeUnsigned)b.v))
KINGLET_BINARY(Ints, operator-, Ints, (NativeInt)((NativeUnsigned)a.v - (NativeUnsigned)b.v))
KINGLET_BINARY(Ints, operator&, Ints, a.v& b.v)
KINGLET_BINARY(Ints, operator|, Ints, a.v | b.v)
KINGLET_BINARY(Ints, signed_max, Ints, signed_max(a.v, b.v))
KINGLET_BINARY(Ints, unsigned_max, Ints, unsigned_max(a.v, b.v))
KINGLET_UNARY(Ints, bits_of, Floats, (NativeInt)a.v)
KINGLET_UNARY(Floats, float_of, Ints, (NativeFloat)a.v)
KINGLET_UNARY(Floats, to_float, Ints, __builtin_convertvector(a.v, NativeFloat))
KINGLET_UNARY(Ints, half_of, Ints, a.v >> 1)

#undef KINGLET_UNARY
#undef KINGLET_BINARY

template <int kCount, int N>
KINGLET_INLINE Ints<N> shift_left(Ints<N> a) {
  if constexpr (N == kNative) {
    return {(NativeInt)((NativeUnsigned)a.v << kCount)};
  } else {
    return {shift_left<kCount>(a.low), shift_left<kCount>(a.high)};
  }
}

template <int N>
KINGLET_INLINE Floats<N> select(Ints<N> mask, Floats<N> yes, Floats<N> no) {
  if constexpr (N == kNative) {
    return {mask.v != 0 ? yes.v : no.v};
  } else {
    return {select(mask.low, yes.low, no.low), select(mask.high, yes.high, no.high)};
  }
}

template <int N>
KINGLET_INLINE Floats<N> absolute(Floats<N> x) {
  return float_of(bits_of(x) & set_int<N>(0x7FFFFFFF));
}

// ---- Memory --------------------------------------------------------------------------------------------------------

// Lanes beyond a part are +0.0 and their memory is not touched.
template <int N, typename Count>
KINGLET_INLINE Floats<N> load(const float* p, Count count) {
  if constexpr (N == kNative) {
    if constexpr (__is_same(Count, Full)) {
      Floats<N> x;
      std::memcpy(&x.v, p, sizeof x.v);
      return x;
    } else {
      return {load_native(p, count)};
    }
  } else {
    return {load<N / 2>(p, low_part(count, N / 2)), load<N / 2>(p + N / 2, high_part(count, N / 2))};
  }
}

template <int N, typename Count>
KINGLET_INLINE void store(float* p, Floats<N> x, Count count) {
  if constexpr (N == kNative) {
    if constexpr (__is_same(Count, Full)) {
      std::memcpy(p, &x.v, sizeof x.v);
    } else {
      store_native(p, x.v, count);
    }
  } else {
    store(p, x.low, low_part(count, N / 2));
    store(p + N / 2, x.high, high_part(count, N / 2));
  }
}

// x in the lanes that exist, 0 in the others.
template <int N>
KINGLET_INLINE Ints<N> keep(Ints<N> x, Full) {
  return x;
}
template <int N>
KINGLET_INLINE Ints<N> keep(Ints<N> x, Part part) {
  if constexpr (N == kNative) {
    return {x.v & lane_mask(part.count)};
  } else {
    return {keep(x.low, low_part(part, N / 2)), keep(x.high, high_part(part, N / 2))};
  }
}
template <int N, typename Count>
KINGLET_INLINE Floats<N> keep(Floats<N> x, Count count) {
  return float_of(keep(bits_of(x), count));
}

// x in the lanes that exist, `other` in the rest.
template <int N>
KINGLET_INLINE Floats<N> keep_or(Floats<N> x, Floats<N>, Full) {
  return x;
}
template <int N>
KINGLET_INLINE Floats<N> keep_or(Floats<N> x, Floats<N> other, Part part) {
  return select(keep(set_int<N>(-1), part), x, other);
}

// Stores the lanes that exist, and zeros up to the next multiple of 16.
template <int N>
KINGLET_INLINE void store_padded(float* p, Floats<N> x, Full full) {
  store(p, x, full);
}
template <int N>
KINGLET_INLINE void store_padded(float* p, Floats<N> x, Part part) {
  store(p, keep(x, part), Part{(part.count + 15) / 16 * 16});
}

// Saturates to int8, exclusive-ors with `flip`, and stores the bytes that exist: all, or a multiple of 8.
template <int N, typename Count>
KINGLET_INLINE void store_bytes(void* p, Ints<N> x, unsigned char flip, Count count) {
  if constexpr (N == kNative) {
    narrow(p, x.v, flip, count);
  } else {
    store_bytes(p, x.low, flip, low_part(count, N / 2));
    store_bytes(static_cast<char*>(p) + N / 2, x.high, flip, high_part(count, N / 2));
  }
}

// N bytes as numbers.
template <int N>
KINGLET_INLINE Ints<N> load_bytes(const int8_t* p) {
  if constexpr (N == kNative) {
    return {widen(p)};
  } else {
    return {load_bytes<N / 2>(p), load_bytes<N / 2>(p + N / 2)};
  }
}

template <int N>
KINGLET_INLINE void store_interleaved(void* p, Ints<N> a, Ints<N> b) {
  if constexpr (N == kNative) {
    store_interleaved(p, a.v, b.v);
  } else {
    store_interleaved(p, a.low, b.low);
    store_interleaved(static_cast<char*>(p) + N * 4, a.high, b.high);
  }
}

// ---- Lanes to one value, by halves ----------------------------------------------------------------------------------

template <typename Operation>
KINGLET_INLINE Float4 reduce(Float4 x, Operation operation) {
  x = operation(x, (Float4)_mm_movehl_ps(x, x));
  return operation(x, (Float4)_mm_shuffle_ps(x, x, 1));
}
template <typename Operation>
KINGLET_INLINE Float4 reduce(Float8 x, Operation operation) {
  return reduce(operation(halve(x, 0), halve(x, 1)), operation);
}
#if defined(KINGLET_VEC_AVX512)
template <typename Operation>
KINGLET_INLINE Float4 reduce(NativeFloat x, Operation operation) {
  return reduce(operation(halve(x, 0), halve(x, 1)), operation);
}
#endif
template <int N, typename Operation>
KINGLET_INLINE Float4 reduce(Floats<N> x, Operation operation) {
  if constexpr (N == kNative) {
    return reduce(x.v, operation);
  } else {
    return reduce(Floats<N / 2>{operation(x.low, x.high)}, operation);
  }
}

template <int N>
KINGLET_INLINE float total(Floats<N> x) {
  return reduce(x, [](auto a, auto b) KINGLET_INLINE_LAMBDA { return a + b; })[0];
}
template <int N>
KINGLET_INLINE float largest(Floats<N> x) {
  return reduce(x, [](auto a, auto b) KINGLET_INLINE_LAMBDA { return max_of(a, b); })[0];
}

// Integers go through the same steps with their bits in float vectors.
KINGLET_INLINE Int4 as_ints(Float4 x) { return (Int4)x; }
KINGLET_INLINE Int8 as_ints(Float8 x) { return (Int8)x; }
#if defined(KINGLET_VEC_AVX512)
KINGLET_INLINE NativeInt as_ints(NativeFloat x) { return (NativeInt)x; }
#endif
template <int N>
KINGLET_INLINE Ints<N> as_ints(Floats<N> x) {
  return bits_of(x);
}
KINGLET_INLINE Float4 as_floats(Int4 x) { return (Float4)x; }
KINGLET_INLINE Float8 as_floats(Int8 x) { return (Float8)x; }
#if defined(KINGLET_VEC_AVX512)
KINGLET_INLINE NativeFloat as_floats(NativeInt x) { return (NativeFloat)x; }
#endif
template <int N>
KINGLET_INLINE Floats<N> as_floats(Ints<N> x) {
  return float_of(x);
}

template <int N>
KINGLET_INLINE int32_t total(Ints<N> x) {
  return as_ints(reduce(float_of(x), [](auto a, auto b) KINGLET_INLINE_LAMBDA {
    return as_floats(as_ints(a) + as_ints(b));
  }))[0];
}
template <int N>
KINGLET_INLINE int32_t largest_signed(Ints<N> x) {
  return as_ints(reduce(float_of(x), [](auto a, auto b) KINGLET_INLINE_LAMBDA {
    return as_floats(signed_max(as_ints(a), as_ints(b)));
  }))[0];
}
template <int N>
KINGLET_INLINE uint32_t largest_unsigned(Ints<N> x) {
  return static_cast<uint32_t>(as_ints(reduce(float_of(x), [](auto a, auto b) KINGLET_INLINE_LAMBDA {
    return as_floats(unsigned_max(as_ints(a), as_ints(b)));
  }))[0]);
}

}  // namespace
}  // namespace kinglet::kernels
