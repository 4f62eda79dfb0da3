// int8 matrix product for NEON of ARMv8.0 (formula and operands: gemm_s8.h). Activations rows_s8_twice. Reads nothing
// beyond its operands. Made for Cortex-A53 (Raspberry Pi 3) and A72 (Raspberry Pi 4).
//
// Two steps multiply 16 k of kRows rows by kHalves half tiles (8 outputs × 8 k, four q each):
//
//                          w: output 0 × 8 k | output 1 × 8 k        a: a row's 8 k | the same 8 k
//   smull    products  =   w.low  · a.low                            smull2 with the upper halves for output 1
//   smlal    products +=   the same of the next 8 k                  8 × int16: 2·127·128 < 32767 is exact,
//   sadalp   sums[o]  +=   products, pairs of them                   because w is never −128
//
// Register tile: 2 rows × 8 outputs (4 a, 2 w) or 1 row × 16 (2 a, 2 w), 16 sums of 4 partial sums, 8 or 4
// products. One smull, smlal and sadalp make 16 products; the first two take the one multiplying pipe of an A72,
// so 8 per cycle.
#include "gemm_s8/neon.h"

namespace kinglet::kernels::neon {
namespace {

[[gnu::always_inline]] inline int16x8_t multiply(int8x16_t a, int8x16_t w, Choice<false>) {
  int16x8_t products;
  asm volatile("smull\t%0.8h, %1.8b, %2.8b" : "=w"(products) : "w"(a), "w"(w));
  return products;
}
[[gnu::always_inline]] inline int16x8_t multiply(int8x16_t a, int8x16_t w, Choice<true>) {
  int16x8_t products;
  asm volatile("smull2\t%0.8h, %1.16b, %2.16b" : "=w"(products) : "w"(a), "w"(w));
  return products;
}
[[gnu::always_inline]] inline void multiply_add(int16x8_t& products, int8x16_t a, int8x16_t w, Choice<false>) {
  asm volatile("smlal\t%0.8h, %1.8b, %2.8b" : "+w"(products) : "w"(a), "w"(w));
}
[[gnu::always_inline]] inline void multiply_add(int16x8_t& products, int8x16_t a, int8x16_t w, Choice<true>) {
  asm volatile("smlal2\t%0.8h, %1.16b, %2.16b" : "+w"(products) : "w"(a), "w"(w));
}
[[gnu::always_inline]] inline void add_pairs(int32x4_t& sum, int16x8_t products) {
  asm volatile("sadalp\t%0.4s, %1.8h" : "+w"(sum) : "w"(products));
}

// Eight chains of products at a time (four with one row), so that none waits for itself on a processor that does not
// reorder: kRows by the outputs of two q of weights. What comes next is loaded over what is done with.
template <int kRows, int kHalves>
[[gnu::noinline]] void multiply_block(const Block& block) {
  constexpr int kQ = 2;  // q of weights multiplied together
  constexpr int kParts = kHalves * 4 / kQ;
  int32x4_t sums[kRows][kHalves * 8];
  const int8_t* a[kRows];
#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
    a[r] = block.a + r * block.group_bytes;
#pragma GCC unroll 16
    for (int o = 0; o < kHalves * 8; ++o) {
      sums[r][o] = vdupq_n_s32(0);
    }
  }
  const int8_t* w = block.w;

  if (block.steps >= 2) {
    int8x16_t first[kRows], second[kRows], weights[kQ];
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      first[r] = load_here(a[r]);
      second[r] = load_here(a[r] + 16);
    }
#pragma GCC unroll 4
    for (int q = 0; q < kQ; ++q) {
      weights[q] = load_here(w + q * 16);
    }
    const auto multiply_steps = [&](auto more) __attribute__((always_inline)) {
      constexpr bool kMore = decltype(more)::value;
#pragma GCC unroll 8
      for (int part = 0; part < kParts; ++part) {
        const bool ends = part == kParts - 1;
        const int8_t* here = w + part * kQ * 16;
        const int8_t* next = ends ? w + 2 * kStepBytes : here + kQ * 16;
        int16x8_t low[kRows][kQ], high[kRows][kQ];
#pragma GCC unroll 4
        for (int q = 0; q < kQ; ++q) {
#pragma GCC unroll 2
          for (int r = 0; r < kRows; ++r) {
            low[r][q] = multiply(first[r], weights[q], Choice<false>{});
            high[r][q] = multiply(first[r], weights[q], Choice<true>{});
            if (ends && kMore && q == kQ - 1) {
              first[r] = load_here(a[r] + 32);
            }
          }
          weights[q] = load_here(here + q * 16 + kStepBytes);
        }
#pragma GCC unroll 4
        for (int q = 0; q < kQ; ++q) {
#pragma GCC unroll 2
          for (int r = 0; r < kRows; ++r) {
            multiply_add(low[r][q], second[r], weights[q], Choice<false>{});
            multiply_add(high[r][q], second[r], weights[q], Choice<true>{});
            if (ends && kMore && q == kQ - 1) {
              second[r] = load_here(a[r] + 48);
            }
          }
          if (!ends || kMore) {
            weights[q] = load_here(next + q * 16);
          }
        }
#pragma GCC unroll 4
        for (int q = 0; q < kQ; ++q) {
#pragma GCC unroll 2
          for (int r = 0; r < kRows; ++r) {
            add_pairs(sums[r][(part * kQ + q) * 2], low[r][q]);
            add_pairs(sums[r][(part * kQ + q) * 2 + 1], high[r][q]);
          }
        }
      }
#pragma GCC unroll 2
      for (int r = 0; r < kRows; ++r) {
        advance<32>(a[r]);
      }
      advance<2 * kStepBytes>(w);
    };
    for (size_t steps = block.steps / 2; steps > 1; --steps) {
      multiply_steps(Choice<true>{});
    }
    multiply_steps(Choice<false>{});
  }
  if (block.steps % 2 != 0) {
#pragma GCC unroll 2
    for (int r = 0; r < kRows; ++r) {
      const int8x16_t last = vld1q_s8(a[r]);
#pragma GCC unroll 8
      for (int v = 0; v < kHalves * 4; ++v) {
        const int8x16_t weights = vld1q_s8(w + v * 16);
        sums[r][v * 2] = vpadalq_s16(sums[r][v * 2], vmull_s8(vget_low_s8(weights), vget_low_s8(last)));
        sums[r][v * 2 + 1] = vpadalq_s16(sums[r][v * 2 + 1], vmull_high_s8(weights, last));
      }
    }
  }

#pragma GCC unroll 2
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int o = 0; o < kHalves * 8; o += 4) {
      finish(block, r, o,
             vpaddq_s32(vpaddq_s32(sums[r][o], sums[r][o + 1]), vpaddq_s32(sums[r][o + 2], sums[r][o + 3])));
    }
  }
}

}  // namespace

void gemm_s8(const GemmS8& args) {
  multiply_all(
      args, ActivationLayout::rows_s8_twice, [](size_t rows) { return rows == 1 ? Cut{1, 2} : Cut{2, 1}; },
      [](size_t rows, size_t halves) -> BlockFunction {
        return rows == 2 ? multiply_block<2, 1> : halves == 2 ? multiply_block<1, 2> : multiply_block<1, 1>;
      });
}

}  // namespace kinglet::kernels::neon
