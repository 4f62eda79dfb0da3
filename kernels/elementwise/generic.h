// Elementary functions on vectors, and the elementwise kernels made of them. Each function is its namesake in
// functions.h, step by step, on N lanes.
#pragma once

#include "elementwise/functions.h"
#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

template <size_t kCount, int N>
KINGLET_INLINE Floats<N> horner(const float (&c)[kCount], Floats<N> x) {
  Floats<N> p = set<N>(c[kCount - 1]);
#pragma GCC unroll 16
  for (size_t i = 1; i < kCount; ++i) {
    p = p * x + set<N>(c[kCount - 1 - i]);
  }
  return p;
}

template <int N>
KINGLET_INLINE Floats<N> power_of_two(Ints<N> n) {
  return float_of(shift_left<23>(n + set_int<N>(127)));
}

template <int N>
KINGLET_INLINE Floats<N> fast_exp2_255(Floats<N> x) {
  x = max_of(x, set<N>(kFastExp2Min));
  const Floats<N> shifted = x + set<N>(kRound);
  const Floats<N> f = x - (shifted - set<N>(kRound));
  const Floats<N> p = set<N>(255.0f) + f * horner(kFastExp2, f);
  return float_of(bits_of(p) + shift_left<23>(bits_of(shifted)));
}

// rne(255·2ˣ) for x <= 0, as integers: round_to_int(fast_exp2_255(x)).
template <int N>
KINGLET_INLINE Ints<N> rounded_exp2_255(Floats<N> x) {
#if defined(KINGLET_VEC_AVX512)
  // The fraction, the power and the rounding are one instruction each. The polynomial sees the same fraction, and a
  // product with a power of two rounds nothing that ends above 1/2; below, and for x under kFastExp2Min, all is 0.
  if constexpr (N == kNative) {
    const NativeFloat f = _mm512_reduce_ps(x.v, 0);  // x − rne(x)
    const Floats<N> p = set<N>(255.0f) + Floats<N>{f} * horner(kFastExp2, Floats<N>{f});
    return {(NativeInt)_mm512_cvtps_epi32(_mm512_scalef_ps(p.v, x.v - f))};
  } else {
    return {rounded_exp2_255(x.low), rounded_exp2_255(x.high)};
  }
#else
  return bits_of(fast_exp2_255(x) + set<N>(kRound)) - set_int<N>(kRoundBits);
#endif
}

template <int N>
KINGLET_INLINE Floats<N> exp2_negative(Floats<N> x) {
  x = max_of(x, set<N>(kExp2Min));
  const Floats<N> shifted = x + set<N>(kRound);
  const Floats<N> f = x - (shifted - set<N>(kRound));
  const Floats<N> p = set<N>(1.0f) + f * horner(kExp2, f);
  return p * power_of_two(bits_of(shifted) - set_int<N>(kRoundBits));
}

template <int N>
KINGLET_INLINE Floats<N> exponential(Floats<N> x) {
  x = min_of(x, set<N>(kExpMax));
  x = max_of(x, set<N>(kExpMin));
  const Floats<N> shifted = x * set<N>(kLog2E) + set<N>(kRound);
  const Floats<N> n = shifted - set<N>(kRound);
  const Floats<N> f = (x - n * set<N>(kLn2High)) - n * set<N>(kLn2Low);
  const Floats<N> p = set<N>(1.0f) + (f + f * f * horner(kExp, f));
  const Ints<N> exponent = bits_of(shifted) - set_int<N>(kRoundBits);
  const Ints<N> half = half_of(exponent);
  return p * power_of_two(half) * power_of_two(exponent - half);
}

template <int N>
KINGLET_INLINE Floats<N> negated(Floats<N> x) {
  return float_of(bits_of(x) + set_int<N>(INT32_MIN));
}

struct FastGelu {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    const Floats<N> t = max_of(min_of(x, set<N>(4.0f)), set<N>(-4.0f));
    return x * (set<N>(0.5f) + t * horner(kFastGelu, t * t));
  }
};

struct Gelu {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    const Floats<N> a = absolute(x);
    const Floats<N> b = min_of(a, set<N>(kGeluTailEnd));
    const Floats<N> tail = select(less_equal(a, set<N>(kGeluTailEnd)),
                                  a * exp2_negative(b * horner(kGeluTail, b) - set<N>(1.0f)), set<N>(0.0f));
    return max_of(x, set<N>(0.0f)) - tail;
  }
};

struct GeluTanh {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    const Floats<N> u = set<N>(kGeluTanhScale) * (x + set<N>(kGeluTanhCube) * (x * x * x));
    return x / (set<N>(1.0f) + exponential(negated(u)));
  }
};

struct Relu {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    return max_of(x, set<N>(0.0f));
  }
};

struct Silu {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    return x / (set<N>(1.0f) + exponential(negated(x)));
  }
};

struct Sigmoid {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    return set<N>(1.0f) / (set<N>(1.0f) + exponential(negated(x)));
  }
};

struct Tanh {
  template <int N>
  KINGLET_INLINE Floats<N> operator()(Floats<N> x) const {
    const Floats<N> a = absolute(x);
    const Floats<N> square = x * x;
    const Floats<N> small = x + x * square * horner(kTanh, square);
    const Floats<N> large = set<N>(1.0f) - set<N>(2.0f) / (exponential(a + a) + set<N>(1.0f));
    const Floats<N> signed_large = float_of(bits_of(large) | (bits_of(x) & set_int<N>(INT32_MIN)));
    return select(less_equal(a, set<N>(kTanhSmall)), small, signed_large);
  }
};

// Several native vectors at a time, for the polynomials are chains. A row's end goes the same way, through a copy: one
// body per function, which gcc must not be tempted to write twice, keeps the library small.
template <size_t kVectors, typename Function>
void apply(const Activate& args, Function function) {
  constexpr size_t kAtOnce = kVectors * kNative;
  for (size_t i = 0; i < args.m; ++i) {
    float* x = args.x + i * args.stride;
    for (size_t j = 0; j < args.n; j += kAtOnce) {
      float end[kAtOnce];
      float* block = x + j;
      size_t part = args.n - j < kAtOnce ? args.n - j : 0;
      if (part != 0) {
        std::memset(end, 0, sizeof end);
        block = static_cast<float*>(std::memcpy(end, x + j, part * sizeof(float)));
      }
      asm("" : "+r"(block), "+r"(part));
      store(block, function(load<kAtOnce>(block, Full{})), Full{});
      if (part != 0) {
        std::memcpy(x + j, end, part * sizeof(float));
      }
    }
  }
}

// Vectors at a time for what has an exponential in it: more do not fit 16 registers, and processors that have wide
// vectors find the next block's work for themselves.
constexpr size_t kLongChains = kNativeBytes == 16 ? 4 : 2;

void activate(const Activate& args) {
  switch (args.function) {
    case ActivationFunction::none:
      break;
    case ActivationFunction::gelu:
      if (args.fast) {
        apply<4>(args, FastGelu{});
      } else {
        apply<kLongChains>(args, Gelu{});
      }
      break;
    case ActivationFunction::gelu_tanh:
      apply<kLongChains>(args, GeluTanh{});
      break;
    case ActivationFunction::relu:
      apply<4>(args, Relu{});
      break;
    case ActivationFunction::silu:
      apply<kLongChains>(args, Silu{});
      break;
    case ActivationFunction::tanh:
      apply<kLongChains>(args, Tanh{});
      break;
    case ActivationFunction::sigmoid:
      apply<kLongChains>(args, Sigmoid{});
      break;
  }
}

void multiply(const Multiply& args) {
  for (size_t i = 0; i < args.m; ++i) {
    float* a = args.a + i * args.a_stride;
    const float* b = args.b + i * args.b_stride;
    for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      store_padded(a + j, load<32>(a + j, count) * load<32>(b + j, count), count);
    });
  }
}

}  // namespace
}  // namespace kinglet::kernels
