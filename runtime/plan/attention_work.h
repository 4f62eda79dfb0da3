// The scratch of int8 attention beside its slots: shared by the plan, which reserves it, and the op, which uses it.
#pragma once

#include <cstdint>

#include "kernels.h"
#include "plan/plan.h"

namespace kinglet {

// Byte offsets of the parts for up to kQueryRows queries of one head over up to `keys` keys.
struct AttendS8Work {
  uint64_t queries, probabilities, scores, query_scale, query_zero, inverse_sum, probability_zero, bytes;
};

inline AttendS8Work attend_s8_work(kernels::ActivationLayout layout, uint32_t head_dim, uint64_t keys) {
  constexpr uint64_t kAlign = 64;
  const auto aligned = [](uint64_t bytes) { return kernels::round_up(bytes, kAlign); };
  AttendS8Work work = {};
  uint64_t end = 0;
  const auto take = [&](uint64_t bytes) {
    const uint64_t offset = end;
    end += aligned(bytes);
    return offset;
  };
  work.queries = take(kernels::activation_bytes(layout, kQueryRows, head_dim));
  work.probabilities = take(kernels::activation_bytes(layout, kQueryRows, kernels::round_up(keys, 16)));
  work.scores = take(kQueryRows * kernels::round_up(keys, 16) * sizeof(float));
  work.query_scale = take(kQueryRows * sizeof(float));
  work.query_zero = take(kQueryRows * sizeof(int32_t));
  work.inverse_sum = take(kQueryRows * sizeof(float));
  work.probability_zero = take(kQueryRows * sizeof(int32_t));
  work.bytes = end;
  return work;
}

}  // namespace kinglet
