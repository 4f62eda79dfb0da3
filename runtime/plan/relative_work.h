// The scratch of attention with relative terms: shared by the plan, which reserves it, and the op, which uses it.
#pragma once

#include <cstdint>

#include "kernels.h"
#include "plan/plan.h"

namespace kinglet {

// Whether an attention needs more than plain scores. (Rotation is a step of its own.)
inline bool has_relative_terms(const fmt::Attention& op) {
  return op.relative_bias() >= 0 || op.window() != 0 || op.disentangled() != nullptr;
}

// Byte offsets of the parts of fp32 attention with relative terms. The tables hold one head's columns of 8-bit tables
// as floats, every row at its own place; nothing where the tables are floats already.
struct AttendRelativeWork {
  uint64_t scores, content_to_position, position_to_content, bytes;
};

inline AttendRelativeWork attend_relative_work(const Model& model, const fmt::Attention& op, uint64_t keys) {
  AttendRelativeWork work = {};
  work.content_to_position = kQueryRows * kernels::round_up(keys, 16) * sizeof(float);
  const auto table_bytes = [&](int32_t table, int32_t scale) -> uint64_t {
    if (table < 0 || scale < 0) {
      return 0;
    }
    const uint64_t rows = model.table().tensors()->Get(static_cast<uint32_t>(table))->shape()->Get(0);
    return rows * kernels::round_up(op.head_dim(), 16) * sizeof(float);
  };
  work.position_to_content = work.bytes = work.content_to_position;
  if (const fmt::Disentangled* terms = op.disentangled()) {
    work.position_to_content += table_bytes(terms->content_to_position(), terms->content_to_position_scale());
    work.bytes =
        work.position_to_content + table_bytes(terms->position_to_content(), terms->position_to_content_scale());
  }
  return work;
}

}  // namespace kinglet
