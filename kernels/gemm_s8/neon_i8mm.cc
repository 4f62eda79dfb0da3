// int8 matrix product for NEON with smmla (formula and operands: gemm_s8.h). Activations smmla_2x8. Reads nothing
// beyond its operands. Made for Cortex-A510, A710, X2 and later, Neoverse N2 and V1/V2, Apple M2.
//
// One step multiplies 8 k of kPairs × 2 rows by kHalves half tiles (8 outputs × 8 k, four q each):
//
//                                w[0]: outputs 0, 1        w[1]: outputs 2, 3     …    2 outputs × 8 k in a q
//   a[0]: rows 0, 1 × 8 k  ──►   sums[0][0]                sums[0][1]                  [r0·o0, r0·o1, r1·o0, r1·o1]
//   a[1]: rows 2, 3 × 8 k  ──►   sums[1][0]                sums[1][1]
//
// Register tiles: 6 rows × 16 outputs (24 sums) and 4 × 16 (16), 8 × 8 (16) for 7 and 8 rows, 2 × 32 (16) for one and
// two: smmla wants 12 independent sums (latency 3, four pipes).
#include "gemm_s8/neon.h"

#if !defined(__ARM_FEATURE_MATMUL_INT8)
#error "compile with -march=armv8.2-a+dotprod+i8mm"
#endif

namespace kinglet::kernels::neon_i8mm {
namespace {

// sum += products of 8 k of 2 rows and of 2 outputs.
[[gnu::always_inline]] inline void multiply_add(int32x4_t& sum, int8x16_t rows, int8x16_t weights) {
  asm volatile("smmla\t%0.4s, %1.16b, %2.16b" : "+w"(sum) : "w"(rows), "w"(weights));
}

// Weights are loaded kAhead q ahead; what a step needs first, while the last q of the step before are multiplied.
template <int kPairs, int kHalves>
[[gnu::noinline]] void multiply_block(const Block& block) {
  constexpr int kTiles = (kHalves + 1) / 2;
  constexpr int kQ = kHalves * 4;
  constexpr int kAhead = kPairs * kQ > 16 ? 3 : 4;
  int32x4_t sums[kPairs][kQ];
  const int8_t* a[kPairs];
  int8x16_t rows[kPairs];
#pragma GCC unroll 4
  for (int p = 0; p < kPairs; ++p) {
    a[p] = block.a + p * block.group_bytes;
    rows[p] = load_here(a[p]);
#pragma GCC unroll 16
    for (int v = 0; v < kQ; ++v) {
      sums[p][v] = vdupq_n_s32(0);
    }
  }
  const int8_t* w[kTiles];
#pragma GCC unroll 2
  for (int t = 0; t < kTiles; ++t) {
    w[t] = block.w + t * block.tile_bytes;
  }
  int8x16_t weights[kAhead];
#pragma GCC unroll 4
  for (int v = 0; v < kAhead; ++v) {
    weights[v] = load_here(w[0] + v * 16);
  }

  const auto multiply_step = [&](auto more) __attribute__((always_inline)) {
    constexpr bool kMore = decltype(more)::value;
    int8x16_t next[kAhead];
#pragma GCC unroll 16
    for (int v = 0; v < kQ; ++v) {
#pragma GCC unroll 4
      for (int p = 0; p < kPairs; ++p) {
        multiply_add(sums[p][v], rows[p], weights[v % kAhead]);
        if (kMore && v == kQ - 1) {
          rows[p] = load_here(a[p] + 16);
        }
      }
      const int ahead = v + kAhead;
      if (ahead < kQ) {
        weights[v % kAhead] = load_here(w[ahead / 8] + ahead % 8 * 16);
      } else if (kMore) {
        next[ahead - kQ] = load_here(w[0] + kStepBytes + (ahead - kQ) * 16);
      }
    }
    if (kMore) {
#pragma GCC unroll 4
      for (int v = 0; v < kAhead; ++v) {
        weights[v] = next[v];
      }
    }
  };
  for (size_t step = block.steps; step > 1; --step) {
    multiply_step(Choice<true>{});
#pragma GCC unroll 4
    for (int p = 0; p < kPairs; ++p) {
      advance<16>(a[p]);
    }
#pragma GCC unroll 2
    for (int t = 0; t < kTiles; ++t) {
      advance<kStepBytes>(w[t]);
    }
  }
  multiply_step(Choice<false>{});

#pragma GCC unroll 4
  for (int p = 0; p < kPairs; ++p) {
#pragma GCC unroll 8
    for (int v = 0; v < kHalves * 4; v += 2) {
      const int64x2_t first = vreinterpretq_s64_s32(sums[p][v]);
      const int64x2_t second = vreinterpretq_s64_s32(sums[p][v + 1]);
      const size_t row = p * 2;
      const size_t column = v * 2;
      finish(block, row, column, vreinterpretq_s32_s64(vzip1q_s64(first, second)));
      if (row + 1 < block.rows) {
        finish(block, row + 1, column, vreinterpretq_s32_s64(vzip2q_s64(first, second)));
      }
    }
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  multiply_all(
      args, ActivationLayout::smmla_2x8,
      [](size_t pairs) { return pairs == 1 ? Cut{1, 4} : pairs == 4 ? Cut{4, 1} : Cut{3, 2}; },
      [](size_t pairs, size_t halves) -> BlockFunction {
        switch (pairs) {
          case 1:
            return halves == 4 ? multiply_block<1, 4> : multiply_block<1, 2>;
          case 2:
            return multiply_block<2, 2>;
          case 3:
            return multiply_block<3, 2>;
          default:
            return multiply_block<4, 1>;
        }
      });
}

}  // namespace kinglet::kernels::neon_i8mm
