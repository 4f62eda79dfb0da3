// Attention with relative terms on vectors (formulas: kernels.h).
#pragma once

#include "elementwise/generic.h"
#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

KINGLET_INLINE ptrdiff_t at_least(ptrdiff_t x, ptrdiff_t least) {
  return x < least ? least : x;
}
KINGLET_INLINE ptrdiff_t at_most(ptrdiff_t x, ptrdiff_t most) {
  return x > most ? most : x;
}

// scores[first, last) += one number.
KINGLET_INLINE void add_number(float* scores, ptrdiff_t first, ptrdiff_t last, float number) {
  if (first < last) {
    for_blocks<32>(static_cast<size_t>(last - first), [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      float* s = scores + first + j;
      store(s, load<32>(s, count) + set<32>(number), count);
    });
  }
}

KINGLET_INLINE void set_number(float* scores, ptrdiff_t first, ptrdiff_t last, float number) {
  if (first < last) {
    for_blocks<32>(static_cast<size_t>(last - first), [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      store(scores + first + j, set<32>(number), count);
    });
  }
}

void relate_scores(const RelateScores& args) {
  const auto n = static_cast<ptrdiff_t>(args.n);
  const auto reach = static_cast<ptrdiff_t>(args.reach);
  for (size_t i = 0; i < args.m; ++i) {
    float* scores = args.scores + i * args.stride;
    const ptrdiff_t self = static_cast<ptrdiff_t>(i) - args.distance;  // the column of distance 0
    if (args.bias != nullptr) {
      const ptrdiff_t first = at_least(at_most(self - reach, n), 0);
      const ptrdiff_t last = at_least(at_most(self + reach + 1, n), 0);
      add_number(scores, 0, first, args.bias[0]);
      if (first < last) {
        const float* bias = args.bias + (first - self + reach);
        for_blocks<32>(static_cast<size_t>(last - first), [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
          float* s = scores + first + j;
          store(s, load<32>(s, count) + load<32>(bias + j, count), count);
        });
      }
      add_number(scores, at_least(first, last), n, args.bias[2 * reach]);
    }
    if (args.window != SIZE_MAX) {
      const auto window = static_cast<ptrdiff_t>(args.window);
      set_number(scores, 0, at_most(self - window + 1, n), kOutside);
      set_number(scores, at_least(self + window, 0), n, kOutside);
    }
  }
}

// Keys whose sums fit the registers.
constexpr size_t kKeysAtOnce = kNativeBytes == 64 ? 4 : 2;

// The scores of kCount keys, each with its rows of the tables; kTerms: 1 for the table c, 2 for p.
template <int kTerms, size_t kCount>
KINGLET_INLINE void score_keys(const ScoresF32& args, const float* q, size_t key, const size_t* rows, float* out) {
  Floats<32> sums[kCount];
#pragma GCC unroll 4
  for (size_t i = 0; i < kCount; ++i) {
    sums[i] = set<32>(0.0f);
  }
  for_blocks<32>(args.dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> query = load<32>(q + d, count);
#pragma GCC unroll 4
    for (size_t i = 0; i < kCount; ++i) {
      const Floats<32> k = load<32>(args.k + (key + i) * args.k_stride + d, count);
      Floats<32> other = k;
      if constexpr ((kTerms & 1) != 0) {
        other = k + load<32>(args.c + rows[i] * args.c_stride + d, count);
      }
      sums[i] = sums[i] + query * other;
      if constexpr ((kTerms & 2) != 0) {
        sums[i] = sums[i] + k * load<32>(args.p + rows[i] * args.p_stride + d, count);
      }
    }
  });
#pragma GCC unroll 4
  for (size_t i = 0; i < kCount; ++i) {
    out[i] = total(sums[i]) * args.multiplier;
  }
}

template <int kTerms>
KINGLET_INLINE void score_rows(const ScoresF32& args) {
  const auto reach = static_cast<ptrdiff_t>(args.reach);
  for (size_t i = 0; i < args.m; ++i) {
    const float* q = args.q + i * args.q_stride;
    float* out = args.out + i * args.out_stride;
    for (size_t j = 0; j < args.n; j += kKeysAtOnce) {
      const size_t keys = args.n - j < kKeysAtOnce ? args.n - j : kKeysAtOnce;
      size_t rows[kKeysAtOnce] = {};
      if constexpr (kTerms != 0) {
        const ptrdiff_t first = args.distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
        for (size_t l = 0; l < keys; ++l) {
          const ptrdiff_t distance = first + static_cast<ptrdiff_t>(l);
          rows[l] = args.rows[at_least(at_most(distance, reach), -reach) + reach];
        }
      }
      if (keys == kKeysAtOnce) {
        score_keys<kTerms, kKeysAtOnce>(args, q, j, rows, out + j);
      } else {
        for (size_t l = 0; l < keys; ++l) {
          score_keys<kTerms, 1>(args, q, j + l, rows + l, out + j + l);
        }
      }
    }
  }
}

void scores_f32(const ScoresF32& args) {
  const bool c = args.c != nullptr;
  if (args.p != nullptr) {
    c ? score_rows<3>(args) : score_rows<2>(args);
  } else {
    c ? score_rows<1>(args) : score_rows<0>(args);
  }
}

// Scores to powers of two, in place; returns 1/Σ.
KINGLET_INLINE float powers_of_scores(float* scores, size_t n) {
  const Floats<32> first = set<32>(scores[0]);
  Floats<32> maxima = first;
  for_blocks<32>(n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    maxima = max_of(maxima, keep_or(load<32>(scores + j, count), first, count));
  });
  const Floats<32> maximum = set<32>(largest(maxima));
  Floats<32> sums = set<32>(0.0f);
  for_blocks<32>(n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> e = keep(exp2_negative(load<32>(scores + j, count) - maximum), count);
    store(scores + j, e, count);
    sums = sums + e;
  });
  return 1.0f / total(sums);
}

// kRows queries at once, and as many dimensions as keep the adders busy: every sum is a chain over the keys.
template <size_t kRows>
KINGLET_INLINE void weigh_rows(const WeighValuesF32& args, size_t row) {
  constexpr int kLanes = kNativeBytes == 64 ? 64 : 32;
  float inverse[kRows];
  for (size_t r = 0; r < kRows; ++r) {
    inverse[r] = powers_of_scores(args.scores + (row + r) * args.stride, args.n);
  }
  for_blocks<kLanes>(args.dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
    Floats<kLanes> weighted[kRows];
#pragma GCC unroll 2
    for (size_t r = 0; r < kRows; ++r) {
      weighted[r] = set<kLanes>(0.0f);
    }
    for (size_t j = 0; j < args.n; ++j) {
      const Floats<kLanes> v = load<kLanes>(args.v + j * args.v_stride + d, count);
#pragma GCC unroll 2
      for (size_t r = 0; r < kRows; ++r) {
        weighted[r] = weighted[r] + set<kLanes>(args.scores[(row + r) * args.stride + j]) * v;
      }
    }
#pragma GCC unroll 2
    for (size_t r = 0; r < kRows; ++r) {
      store(args.out + (row + r) * args.out_stride + d, weighted[r] * set<kLanes>(inverse[r]), count);
    }
  });
}

void weigh_values_f32(const WeighValuesF32& args) {
  size_t i = 0;
  for (; i + 2 <= args.m; i += 2) {
    weigh_rows<2>(args, i);
  }
  if (i < args.m) {
    weigh_rows<1>(args, i);
  }
}

void sum_tile(const SumTile& args) {
  for (size_t channel = 0; channel < 16; channel += 4) {
    Ints<32> sums = set_int<32>(0);
    for (size_t step = 0; step < args.steps; ++step) {
      sums = sums + load_bytes<32>(args.tile + step * 128 + channel * 8);
    }
    int32_t lanes[32];
    std::memcpy(lanes, &sums, sizeof lanes);
    for (size_t c = 0; c < 4; ++c) {
      int32_t sum = 0;
      for (size_t key = 0; key < 8; ++key) {
        sum += lanes[c * 8 + key];
      }
      args.sum[channel + c] = sum;
    }
  }
}

void rotate_row(const RotateRow& args) {
  for (size_t head = 0; head < args.heads; ++head) {
    float* low = args.x + head * args.head_dim;
    float* high = low + args.half;
    for_blocks<32>(args.half, [&](size_t t, auto count) KINGLET_INLINE_LAMBDA {
      const Floats<32> a = load<32>(low + t, count);
      const Floats<32> b = load<32>(high + t, count);
      const Floats<32> c = load<32>(args.cosine + t, count);
      const Floats<32> s = load<32>(args.sine + t, count);
      store(low + t, a * c - b * s, count);
      store(high + t, b * c + a * s, count);
    });
  }
}

}  // namespace
}  // namespace kinglet::kernels
