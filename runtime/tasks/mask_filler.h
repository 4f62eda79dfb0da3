// The best tokens for every mask of a text: FillMaskPipeline of transformers 4.57.3 (pipelines/fill_mask.py).
#pragma once

#include <cstdint>

#include "base/buffer.h"
#include "base/error.h"
#include "session/session.h"
#include "tasks/documents.h"

namespace kinglet {

// Belongs to a session; nothing allocates after `create`.
class MaskFiller {
 public:
  // `top_k`: the most predictions per mask. OUT_OF_MEMORY.
  kinglet_status create(const Session& session, uint32_t top_k, Error& error);
  size_t memory() const;

  // See kinglet_fill_mask; `top_k` is from 1 to what `create` was told.
  kinglet_status run(Session& session, Documents& documents, const kinglet_input* inputs, size_t count, uint32_t top_k,
                     uint8_t* truncated, Error& error);
  // The masks of input `index` of the last run; false when there is no such input.
  bool masks(size_t index, size_t* count) const;
  // The predictions for mask `mask` of input `index`; false when there is no such mask.
  bool predictions(size_t index, size_t mask, const kinglet_prediction** out, size_t* count) const;

 private:
  kinglet_status fill(const Session& session, uint32_t sequence, uint32_t token, uint32_t top_k, Error& error);

  uint32_t vocabulary_ = 0;
  Buffer<float> scores_;
  Buffer<kinglet_prediction> predictions_;  // top_k_ for each mask
  Buffer<uint32_t> begin_;                  // the first mask of each input
  uint32_t top_k_ = 0, mask_count_ = 0, inputs_ = 0;
};

}  // namespace kinglet
