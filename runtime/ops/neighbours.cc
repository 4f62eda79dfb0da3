// Every row with its neighbours in the sequence, side by side: what a convolution multiplies.
#include <cstring>

#include "ops/execute.h"

namespace kinglet {

void run_neighbours(const Run& run, const Block& block, const Step& step) {
  const Slot& in = run.plan->slot(step.in);
  const Slot& slot = run.plan->slot(step.out);
  const uint32_t count = step.before + step.after + 1;
  float* out = rows_of(run, block, step.out);
  uint32_t sequence = 0;
  for (uint32_t row = block.begin; row < block.end; ++row, out += slot.stride()) {
    while (row >= run.batch.begin[sequence + 1]) {
      ++sequence;
    }
    std::memset(out, 0, slot.stride() * sizeof(float));
    const uint32_t begin = run.batch.begin[sequence];
    const uint32_t end = run.batch.begin[sequence + 1];
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t other = uint64_t{row} + i;  // before the first `before` rows are taken off
      if (other >= uint64_t{begin} + step.before && other < uint64_t{end} + step.before) {
        std::memcpy(out + size_t{i} * in.width, arena_rows(run, step.in) + (other - step.before) * in.stride(),
                    in.width * sizeof(float));
      }
    }
  }
}

}  // namespace kinglet
