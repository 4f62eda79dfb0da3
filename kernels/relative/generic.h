// Attention with relative terms on vectors (formulas: kernels.h).
#pragma once

#include "attention_f32/powers.h"
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

// The scores of `keys` keys from `key` on, at most kKeysAtOnce; keys that are not there are the last one again. first:
// the distance of the first. The terms are asked for in the loop: a body for each of their combinations made the
// function five times as long, and none faster.
KINGLET_INLINE void score_keys(const ScoresF32& args, const float* q, size_t key, size_t keys, ptrdiff_t first,
                               float* out) {
  const auto reach = static_cast<ptrdiff_t>(args.reach);
  const float *k_rows[kKeysAtOnce], *c_rows[kKeysAtOnce], *p_rows[kKeysAtOnce];
  Floats<32> sums[kKeysAtOnce];
#pragma GCC unroll 4
  for (size_t i = 0; i < kKeysAtOnce; ++i) {
    const size_t at = i < keys ? i : keys - 1;
    size_t row = 0;
    if (args.rows != nullptr) {
      row = args.rows[at_least(at_most(first + static_cast<ptrdiff_t>(at), reach), -reach) + reach];
    }
    k_rows[i] = args.k + (key + at) * args.k_stride;
    c_rows[i] = args.c != nullptr ? args.c + row * args.c_stride : nullptr;
    p_rows[i] = args.p != nullptr ? args.p + row * args.p_stride : nullptr;
    sums[i] = set<32>(0.0f);
  }
  for_blocks<32>(args.dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
    const Floats<32> query = load<32>(q + d, count);
#pragma GCC unroll 4
    for (size_t i = 0; i < kKeysAtOnce; ++i) {
      const Floats<32> k = load<32>(k_rows[i] + d, count);
      Floats<32> other = k;
      if (c_rows[i] != nullptr) {
        other = k + load<32>(c_rows[i] + d, count);
      }
      sums[i] = sums[i] + query * other;
      if (p_rows[i] != nullptr) {
        sums[i] = sums[i] + k * load<32>(p_rows[i] + d, count);
      }
    }
  });
  for (size_t i = 0; i < kKeysAtOnce; ++i) {
    const float score = total(sums[i]) * args.multiplier;
    if (i < keys) {
      out[i] = score;
    }
  }
}

void scores_f32(const ScoresF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    for (size_t j = 0; j < args.n; j += kKeysAtOnce) {
      const size_t keys = args.n - j < kKeysAtOnce ? args.n - j : kKeysAtOnce;
      const ptrdiff_t first = args.distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
      score_keys(args, args.q + i * args.q_stride, j, keys, first, args.out + i * args.out_stride + j);
    }
  }
}

// Two queries at once, and as many dimensions as keep the adders busy: every sum is a chain over the keys. The last
// query may stand for both.
KINGLET_INLINE void weigh_two_rows(const WeighValuesF32& args, size_t row, size_t other) {
  constexpr int kLanes = kNativeBytes == 64 ? 64 : 32;
  const size_t rows[2] = {row, other};
  float inverse[2];
  inverse[0] = powers_of_scores(args.scores + row * args.stride, args.n, 1.0f);
  inverse[1] = other == row ? inverse[0] : powers_of_scores(args.scores + other * args.stride, args.n, 1.0f);
  for_blocks<kLanes>(args.dimension, [&](size_t d, auto count) KINGLET_INLINE_LAMBDA {
    Floats<kLanes> weighted[2] = {set<kLanes>(0.0f), set<kLanes>(0.0f)};
    for (size_t j = 0; j < args.n; ++j) {
      const Floats<kLanes> v = load<kLanes>(args.v + j * args.v_stride + d, count);
#pragma GCC unroll 2
      for (size_t r = 0; r < 2; ++r) {
        weighted[r] = weighted[r] + set<kLanes>(args.scores[rows[r] * args.stride + j]) * v;
      }
    }
#pragma GCC unroll 2
    for (size_t r = 0; r < 2; ++r) {
      store(args.out + rows[r] * args.out_stride + d, weighted[r] * set<kLanes>(inverse[r]), count);
    }
  });
}

void weigh_values_f32(const WeighValuesF32& args) {
  for (size_t i = 0; i < args.m; i += 2) {
    weigh_two_rows(args, i, i + 1 < args.m ? i + 1 : i);
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
