// The thin vector type of all generic.h files: Floats<N> and Ints<N> are N lanes, built by halves down to the native
// vector of the ISA that this file is compiled for (AVX-512: 16 lanes, AVX2: 8, NEON and WebAssembly: 4). Built on the
// vector extensions of gcc and clang; intrinsics serve where those compile badly (native_*.h).
//
// The order of every sum of floats. A row runs over 32 virtual lanes: lane[i % 32] += x[i], tail lanes add +0.0, and
// one fixed tree ends it: lane[i] += lane[i + 16] for i < 16, then + 8, + 4, + 2, + 1. Floats<32> is those 32 lanes on
// every ISA, and total() is the tree (Floats<N>::low + Floats<N>::high is its first step), hence the same bits.
//
// Everything is in an anonymous namespace and always inlined: a function compiled with ISA flags must never be the
// copy that the linker keeps for a file without them.
//
// A new ISA gives: kNativeBytes (types.h) and a native_*.h with maxima and minima, broadcasts, loads and stores of
// parts, narrow (narrow_16 and store_16 where vectors have 16 bytes), widen and store_interleaved.
#pragma once

#include "simd/types.h"
#if defined(KINGLET_VEC_NEON)
#include "simd/native_neon.h"
#elif defined(KINGLET_VEC_WASM)
#include "simd/native_wasm.h"
#else
#include "simd/native_x86.h"
#endif

namespace kinglet::kernels {
namespace {

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

KINGLET_INLINE Full low_part(Full, int) {
  return {};
}
KINGLET_INLINE Full high_part(Full, int) {
  return {};
}
KINGLET_INLINE Part low_part(Part part, size_t half) {
  return {part.count < half ? part.count : half};
}
KINGLET_INLINE Part high_part(Part part, size_t half) {
  return {part.count < half ? 0 : part.count - half};
}

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

// The same over blocks of kWide while they are full, then of kWideTail: body(first index, Lanes<N>, Full or Part).
template <int N>
struct Lanes {
  static constexpr int count = N;
};
template <typename Body>
KINGLET_INLINE void for_wide_blocks(size_t n, Body body) {
  size_t i = 0;
  for (; i + kWide <= n; i += kWide) {
    body(i, Lanes<kWide>{}, Full{});
  }
  for (; i + kWideTail <= n; i += kWideTail) {
    body(i, Lanes<kWideTail>{}, Full{});
  }
  if (i < n) {
    body(i, Lanes<kWideTail>{}, Part{n - i});
  }
}

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
#define KINGLET_UNARY(result, name, operand, expression) \
  template <int N>                                       \
  KINGLET_INLINE result<N> name(operand<N> a) {          \
    if constexpr (N == kNative) {                        \
      return {expression};                               \
    } else {                                             \
      return {name(a.low), name(a.high)};                \
    }                                                    \
  }
#define KINGLET_BINARY(result, name, operand, expression)     \
  template <int N>                                            \
  KINGLET_INLINE result<N> name(operand<N> a, operand<N> b) { \
    if constexpr (N == kNative) {                             \
      return {expression};                                    \
    } else {                                                  \
      return {name(a.low, b.low), name(a.high, b.high)};      \
    }                                                         \
  }

KINGLET_BINARY(Floats, operator+, Floats, a.v + b.v)
KINGLET_BINARY(Floats, operator-, Floats, a.v - b.v)
KINGLET_BINARY(Floats, operator*, Floats, a.v* b.v)
KINGLET_BINARY(Floats, operator/, Floats, a.v / b.v)
KINGLET_BINARY(Floats, max_of, Floats, max_of(a.v, b.v))
KINGLET_BINARY(Floats, min_of, Floats, min_of(a.v, b.v))
KINGLET_BINARY(Ints, less, Floats, a.v < b.v)  // all bits or none
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

#if defined(KINGLET_VEC_NEON) || defined(KINGLET_VEC_WASM)
KINGLET_INLINE Bytes16 saturated_bytes(Ints<16> x) {
  return narrow_16(x.low.low.v, x.low.high.v, x.high.low.v, x.high.high.v);
}
#endif

// Saturates to int8, exclusive-ors with `flip`, and stores the bytes that exist: all, or a multiple of 8.
template <int N, typename Count>
KINGLET_INLINE void store_bytes(void* p, Ints<N> x, unsigned char flip, Count count) {
#if defined(KINGLET_VEC_AVX512)
  if constexpr (N == 64 && __is_same(Count, Full)) {
    narrow_64(p, x.low.low.v, x.low.high.v, x.high.low.v, x.high.high.v, flip);
    return;
  }
#endif
  if constexpr (kNativeBytes == 16 && N == 16) {
    const auto bytes = saturated_bytes(x);
    store_16(p, bytes ^ flip, count);
  } else if constexpr (N == kNative) {
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
  x = operation(x, upper_half(x));
  return operation(x, second_lane(x));
}
#if defined(KINGLET_VEC_AVX2) || defined(KINGLET_VEC_AVX512)
template <typename Operation>
KINGLET_INLINE Float4 reduce(Float8 x, Operation operation) {
  return reduce(operation(halve(x, 0), halve(x, 1)), operation);
}
#endif
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
KINGLET_INLINE Int4 as_ints(Float4 x) {
  return (Int4)x;
}
KINGLET_INLINE Int8 as_ints(Float8 x) {
  return (Int8)x;
}
#if defined(KINGLET_VEC_AVX512)
KINGLET_INLINE NativeInt as_ints(NativeFloat x) {
  return (NativeInt)x;
}
#endif
template <int N>
KINGLET_INLINE Ints<N> as_ints(Floats<N> x) {
  return bits_of(x);
}
KINGLET_INLINE Float4 as_floats(Int4 x) {
  return (Float4)x;
}
KINGLET_INLINE Float8 as_floats(Int8 x) {
  return (Float8)x;
}
#if defined(KINGLET_VEC_AVX512)
KINGLET_INLINE NativeFloat as_floats(NativeInt x) {
  return (NativeFloat)x;
}
#endif
template <int N>
KINGLET_INLINE Floats<N> as_floats(Ints<N> x) {
  return float_of(x);
}

template <int N>
KINGLET_INLINE int32_t total(Ints<N> x) {
  return as_ints(
      reduce(float_of(x), [](auto a, auto b) KINGLET_INLINE_LAMBDA { return as_floats(as_ints(a) + as_ints(b)); }))[0];
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
