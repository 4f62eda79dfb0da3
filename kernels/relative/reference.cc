// Attention with relative terms, scalar reference (formulas: kernels.h).
#include "reference.h"
#include "elementwise/functions.h"

namespace kinglet::kernels::reference {
namespace {

ptrdiff_t clamp_distance(ptrdiff_t distance, size_t reach) {
  const auto most = static_cast<ptrdiff_t>(reach);
  return distance < -most ? -most : distance > most ? most : distance;
}

}  // namespace

void relate_scores(const RelateScores& args) {
  for (size_t i = 0; i < args.m; ++i) {
    float* scores = args.scores + i * args.stride;
    for (size_t j = 0; j < args.n; ++j) {
      const ptrdiff_t distance = args.distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
      if (args.bias != nullptr) {
        scores[j] += args.bias[clamp_distance(distance, args.reach) + static_cast<ptrdiff_t>(args.reach)];
      }
      if (static_cast<size_t>(distance < 0 ? -distance : distance) >= args.window) {
        scores[j] = kOutside;
      }
    }
  }
}

void scores_f32(const ScoresF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    const float* q = args.q + i * args.q_stride;
    for (size_t j = 0; j < args.n; ++j) {
      const float* k = args.k + j * args.k_stride;
      size_t row = 0;
      if (args.rows != nullptr) {
        const ptrdiff_t distance = args.distance + static_cast<ptrdiff_t>(j) - static_cast<ptrdiff_t>(i);
        row = args.rows[clamp_distance(distance, args.reach) + static_cast<ptrdiff_t>(args.reach)];
      }
      const float* c = args.c != nullptr ? args.c + row * args.c_stride : nullptr;
      const float* p = args.p != nullptr ? args.p + row * args.p_stride : nullptr;
      LaneSum sum;
      for (size_t d = 0; d < args.dimension; ++d) {
        sum.add(d, q[d] * (c != nullptr ? k[d] + c[d] : k[d]));
        if (p != nullptr) {
          sum.add(d, k[d] * p[d]);
        }
      }
      args.out[i * args.out_stride + j] = sum.total() * args.multiplier;
    }
  }
}

void weigh_values_f32(const WeighValuesF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    float* scores = args.scores + i * args.stride;
    float largest = scores[0];
    for (size_t j = 1; j < args.n; ++j) {
      largest = max_of(largest, scores[j]);
    }
    LaneSum sum;
    for (size_t j = 0; j < args.n; ++j) {
      scores[j] = exp2_negative(scores[j] - largest);
      sum.add(j, scores[j]);
    }
    const float inverse = 1.0f / sum.total();
    for (size_t d = 0; d < args.dimension; ++d) {
      float weighted = 0.0f;
      for (size_t j = 0; j < args.n; ++j) {
        weighted += scores[j] * args.v[j * args.v_stride + d];
      }
      args.out[i * args.out_stride + d] = weighted * inverse;
    }
  }
}

void sum_tile(const SumTile& args) {
  for (size_t channel = 0; channel < 16; ++channel) {
    int32_t sum = 0;
    for (size_t step = 0; step < args.steps; ++step) {
      for (size_t key = 0; key < 8; ++key) {
        sum += args.tile[step * 128 + channel * 8 + key];
      }
    }
    args.sum[channel] = sum;
  }
}

void rotate_row(const RotateRow& args) {
  for (size_t head = 0; head < args.heads; ++head) {
    float* low = args.x + head * args.head_dim;
    float* high = low + args.half;
    for (size_t t = 0; t < args.half; ++t) {
      const float a = low[t];
      const float b = high[t];
      low[t] = a * args.cosine[t] - b * args.sine[t];
      high[t] = b * args.cosine[t] + a * args.sine[t];
    }
  }
}

}  // namespace kinglet::kernels::reference
