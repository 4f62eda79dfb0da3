#include "tasks/mask_filler.h"

#include "base/fp_environment.h"

namespace kinglet {

kinglet_status MaskFiller::create(const Session& session, uint32_t top_k, Error& error) {
  vocabulary_ = session.plan().task_output(0).width;
  const uint64_t tokens = session.plan().capacity().tokens();
  const bool fits = tokens * top_k <= SIZE_MAX / sizeof(kinglet_prediction) && scores_.allocate(vocabulary_) &&
                    predictions_.allocate(static_cast<size_t>(tokens * top_k)) &&
                    begin_.allocate(session.batch() + 1);
  return fits ? KINGLET_OK : fail(error, KINGLET_OUT_OF_MEMORY, "no memory for %u predictions per mask", top_k);
}

size_t MaskFiller::memory() const { return scores_.bytes() + predictions_.bytes() + begin_.bytes(); }

kinglet_status MaskFiller::run(Session& session, Documents& documents, const kinglet_input* inputs, size_t count,
                               uint32_t top_k, uint8_t* truncated, Error& error) {
  inputs_ = mask_count_ = 0;
  top_k_ = top_k < vocabulary_ ? top_k : vocabulary_;
  const fmt::SpecialTokens* special = session.model().table().special_tokens();
  const int32_t mask = special != nullptr ? special->mask() : -1;
  if (mask < 0) {
    return fail(error, KINGLET_WRONG_TASK, "the model's tokenizer has no mask token");
  }
  KINGLET_TRY(documents.load(session, inputs, count, Documents::Body::text, true, session.max_length(), truncated,
                             error));
  const FpEnvironment environment;
  begin_[0] = 0;
  KINGLET_TRY(documents.run(
      session, {session.max_length(), 0, false}, error, [&](const Window& window, uint32_t sequence) -> kinglet_status {
        const uint32_t before = mask_count_;
        for (uint32_t at = 0; at < documents.length_of(window); ++at) {
          if (documents.id(documents.token_of(window, at)) == mask) {
            KINGLET_TRY(fill(session, sequence, at, top_k_, error));
          }
        }
        if (mask_count_ == before) {
          const std::string_view token =
              session.model().has_tokenizer() ? session.model().tokenizer().token(mask) : std::string_view();
          const int length = token.size() < 64 ? static_cast<int>(token.size()) : 64;
          return fail(error, KINGLET_INVALID_ARGUMENT, "input %u: no mask token, expected %.*s in the text%s",
                      window.document, length, token.data(),
                      truncated != nullptr && truncated[window.document] != 0 ? " (it was cut)" : "");
        }
        begin_[window.document + 1] = mask_count_;
        return KINGLET_OK;
      }));
  inputs_ = documents.size();
  return KINGLET_OK;
}

// postprocess for one mask. Equal scores keep the order of ids.
kinglet_status MaskFiller::fill(const Session& session, uint32_t sequence, uint32_t token, uint32_t top_k,
                                Error& error) {
  const float* logits = session.token_row(0, sequence, token);
  if (!session.all_finite(logits, vocabulary_)) {
    return fail(error, KINGLET_NON_FINITE, "an output is infinite or not a number: the weights are too large");
  }
  kernels::softmax_f32(logits, vocabulary_, scores_.data());
  kinglet_prediction* best = &predictions_[size_t{mask_count_} * top_k];
  ++mask_count_;
  uint32_t count = 0;
  for (uint32_t id = 0; id < vocabulary_; ++id) {
    const float score = scores_[id];
    if (count == top_k && !(score > best[count - 1].score)) {
      continue;
    }
    uint32_t at = count < top_k ? count++ : count - 1;
    for (; at > 0 && best[at - 1].score < score; --at) {
      best[at] = best[at - 1];
    }
    best[at] = {static_cast<int32_t>(id), score};
  }
  return KINGLET_OK;
}

bool MaskFiller::masks(size_t index, size_t* count) const {
  if (index >= inputs_) {
    return false;
  }
  *count = begin_[index + 1] - begin_[index];
  return true;
}

bool MaskFiller::predictions(size_t index, size_t mask, const kinglet_prediction** out, size_t* count) const {
  size_t masks_here = 0;
  if (!masks(index, &masks_here) || mask >= masks_here) {
    return false;
  }
  *out = &predictions_[(begin_[index] + mask) * top_k_];
  *count = top_k_;
  return true;
}

}  // namespace kinglet
