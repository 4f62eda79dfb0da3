// Rotary positions: every head of a row of queries or keys is turned by the angles of the row's place in its sequence.
#include "ops/execute.h"

namespace kinglet {

void run_rotate(const Run& run, const Block& block, const Step& step) {
  const size_t stride = run.plan->slot(step.out).stride();
  const auto* table = static_cast<const float*>(step.weights.w);
  const size_t half = step.weights.k / 2;
  float* x = rows_of(run, block, step.out);
  uint32_t sequence = 0;
  for (uint32_t row = block.begin; row < block.end; ++row, x += stride) {
    while (row >= run.batch.begin[sequence + 1]) {
      ++sequence;
    }
    const float* angles = table + size_t{row - run.batch.begin[sequence]} * step.weights.k;
    run.kernels->rotate_row({.x = x,
                             .heads = step.heads,
                             .head_dim = step.head_dim,
                             .half = half,
                             .cosine = angles,
                             .sine = angles + half});
  }
}

}  // namespace kinglet
