// Attention with relative terms on vectors (formulas: kernels.h).
#pragma once

#include "elementwise/generic.h"
#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

KINGLET_INLINE ptrdiff_t at_least(ptrdiff_t x, ptrdiff_t least) { return x < least ? least : x; }
KINGLET_INLINE ptrdiff_t at_most(ptrdiff_t x, ptrdiff_t most) { return x > most ? most : x; }

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

// One score; kTerms: 1 for the table c, 2 for p.
template <int kTerms>
KINGLET_INLINE float score(const float* q, const float* k, const float* c, const float* p, size_t dimension) {
  Floats<32> sums = set<32>(0.0f);
  for_blocks<32>(dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> key = load<32>(k + d, count);
    Floats<32> other = key;
    if constexpr ((kTerms & 1) != 0) {
      other = key + load<32>(c + d, count);
    }
    sums = sums + load<32>(q + d, count) * other;
    if constexpr ((kTerms & 2) != 0) {
      sums = sums + key * load<32>(p + d, count);
    }
  });
  return total(sums);
}

template <int kTerms>
KINGLET_INLINE void score_rows(const ScoresF32& args) {
  const auto reach = static_cast<ptrdiff_t>(args.reach);
  for (size_t i = 0; i < args.m; ++i) {
    const float* q = args.q + i * args.q_stride;
    float* out = args.out + i * args.out_stride;
    for (size_t j = 0; j < args.n; ++j) {
      size_t row = 0;
      if constexpr (kTerms != 0) {
        const ptrdiff_t distance = args.distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
        row = args.rows[at_least(at_most(distance, reach), -reach) + reach];
      }
      const float* c = (kTerms & 1) != 0 ? args.c + row * args.c_stride : nullptr;
      const float* p = (kTerms & 2) != 0 ? args.p + row * args.p_stride : nullptr;
      out[j] = score<kTerms>(q, args.k + j * args.k_stride, c, p, args.dimension) * args.multiplier;
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

void weigh_values_f32(const WeighValuesF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    float* scores = args.scores + i * args.stride;
    float* out = args.out + i * args.out_stride;
    const Floats<32> first = set<32>(scores[0]);
    Floats<32> maxima = first;
    for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      maxima = max_of(maxima, keep_or(load<32>(scores + j, count), first, count));
    });
    const Floats<32> maximum = set<32>(largest(maxima));
    Floats<32> sums = set<32>(0.0f);
    for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
      const Floats<32> e = keep(exp2_negative(load<32>(scores + j, count) - maximum), count);
      store(scores + j, e, count);
      sums = sums + e;
    });
    const Floats<32> inverse = set<32>(1.0f / total(sums));
    for_blocks<32>(args.dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
      Floats<32> weighted = set<32>(0.0f);
      for (size_t j = 0; j < args.n; ++j) {
        weighted = weighted + set<32>(scores[j]) * load<32>(args.v + j * args.v_stride + d, count);
      }
      store(out + d, weighted * inverse, count);
    });
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
