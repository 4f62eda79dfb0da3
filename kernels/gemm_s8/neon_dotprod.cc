// int8 matrix product for NEON with dot product (formula and operands: gemm_s8.h). Activations sdot_4x4. Reads nothing
// beyond its operands. Made for Cortex-A55, A76 and later, Neoverse N1, Apple M1.
//
// One step multiplies 8 k of kGroups × 4 rows by kHalves half tiles (8 outputs × 8 k, four q each). The weights are the
// lane operand, so that nothing is broadcast: loads that broadcast, and dup, take the pipes of sdot.
//
//                                        w: 2 outputs × 8 k in a q
//                                        output 0            output 1
//                                        w.4b[0]   w.4b[1]   w.4b[2]   w.4b[3]
//   a[0]: 4 rows × k 0-3 (.16b)    ──►   sums[0]             sums[1]              sums[o]: output o of 4 rows
//   a[1]: 4 rows × k 4-7           ──►             sums[0]             sums[1]
//
// Register tiles: 4 rows × 16 outputs (16 sums, 8 w, 2 a) when there are no more; 8 × 8 (16, 4, 4) and 12 × 8 (24, 4,
// 3), which load least. 4 × 4 sums are transposed at the end.
#include "gemm_s8/neon.h"

#if !defined(__ARM_FEATURE_DOTPROD)
#error "compile with -march=armv8.2-a+dotprod"
#endif

namespace kinglet::kernels::neon_dotprod {
namespace {

// sums[o], o < 4, hold output `column` + o of the rows from `row` on.
[[gnu::always_inline]] inline void finish_4x4(const Block& block, size_t row, size_t column, const int32x4_t* sums) {
  const int64x2_t low01 = vreinterpretq_s64_s32(vtrn1q_s32(sums[0], sums[1]));
  const int64x2_t high01 = vreinterpretq_s64_s32(vtrn2q_s32(sums[0], sums[1]));
  const int64x2_t low23 = vreinterpretq_s64_s32(vtrn1q_s32(sums[2], sums[3]));
  const int64x2_t high23 = vreinterpretq_s64_s32(vtrn2q_s32(sums[2], sums[3]));
  const int64x2_t rows[4] = {vtrn1q_s64(low01, low23), vtrn1q_s64(high01, high23), vtrn2q_s64(low01, low23),
                             vtrn2q_s64(high01, high23)};
#pragma GCC unroll 4
  for (size_t r = 0; r < 4; ++r) {
    if (row + r < block.rows) {
      finish(block, row + r, column, vreinterpretq_s32_s64(rows[r]));
    }
  }
}

// sum += products of 4 k of 4 rows and of one output, which is `kLane` of the weights.
template <int kLane>
[[gnu::always_inline]] inline void multiply_add(int32x4_t& sum, int8x16_t rows, int8x16_t weights) {
  asm volatile("sdot\t%0.4s, %1.16b, %2.4b[%3]" : "+w"(sum) : "w"(rows), "w"(weights), "i"(kLane));
}

// Every q is loaded over its predecessor as soon as that is done with: the weights in the last group's second half,
// rows while the next group is multiplied.
template <int kGroups, int kHalves>
[[gnu::noinline]] void multiply_block(const Block& block) {
  constexpr int kQ = kHalves * 4;
  constexpr int kLast = kGroups - 1;
  int32x4_t sums[kGroups][kHalves * 8];
  const int8_t* a[kGroups];
  int8x16_t low[kGroups], high[kGroups];  // k 0-3 and 4-7 of a step
#pragma GCC unroll 3
  for (int g = 0; g < kGroups; ++g) {
    a[g] = block.a + g * block.group_bytes;
    if (g < kLast || kLast == 0) {
      low[g] = load_here(a[g]);
    }
#pragma GCC unroll 16
    for (int o = 0; o < kHalves * 8; ++o) {
      sums[g][o] = vdupq_n_s32(0);
    }
  }
  const int8_t* w = block.w;
  int8x16_t weights[kQ];
#pragma GCC unroll 8
  for (int v = 0; v < kQ; ++v) {
    weights[v] = load_here(w + v * 16);
  }

  const auto multiply_step = [&](auto more) __attribute__((always_inline)) {
    constexpr bool kMore = decltype(more)::value;
#pragma GCC unroll 3
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 8
      for (int v = 0; v < kQ; ++v) {
        multiply_add<0>(sums[g][v * 2], low[g], weights[v]);
        multiply_add<2>(sums[g][v * 2 + 1], low[g], weights[v]);
        if (v == 0 && kLast == 0) {
          high[0] = load_here(a[0] + 16);
        } else if (v == 0 && g == 0) {
          low[kLast] = load_here(a[kLast]);
        } else if (v == 0) {
          high[g - 1] = load_here(a[g - 1] + 16);
        }
      }
    }
#pragma GCC unroll 3
    for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 8
      for (int v = 0; v < kQ; ++v) {
        multiply_add<1>(sums[g][v * 2], high[g], weights[v]);
        multiply_add<3>(sums[g][v * 2 + 1], high[g], weights[v]);
        if (v == 0 && g == 0 && kLast != 0) {
          high[kLast] = load_here(a[kLast] + 16);
        } else if (v == 1 && kMore && (g > 0 || kLast == 0)) {
          low[kLast == 0 ? 0 : g - 1] = load_here(a[kLast == 0 ? 0 : g - 1] + 32);
        }
        if (kMore && g == kLast) {
          weights[v] = load_here(w + kStepBytes + v * 16);
        }
      }
    }
  };
  for (size_t step = block.steps; step > 1; --step) {
    multiply_step(Choice<true>{});
#pragma GCC unroll 3
    for (int g = 0; g < kGroups; ++g) {
      advance<32>(a[g]);
    }
    advance<kStepBytes>(w);
  }
  multiply_step(Choice<false>{});

#pragma GCC unroll 3
  for (int g = 0; g < kGroups; ++g) {
#pragma GCC unroll 4
    for (int o = 0; o < kHalves * 8; o += 4) {
      finish_4x4(block, g * 4, o, &sums[g][o]);
    }
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  multiply_all(
      args, ActivationLayout::sdot_4x4,
      [](size_t groups) {
        return groups == 1 ? Cut{1, 2} : Cut{3, 1};
      },
      [](size_t groups, size_t) -> BlockFunction {
        return groups == 1 ? multiply_block<1, 2> : groups == 2 ? multiply_block<2, 1> : multiply_block<3, 1>;
      });
}

}  // namespace kinglet::kernels::neon_dotprod
