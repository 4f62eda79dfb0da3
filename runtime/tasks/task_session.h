// What a session has besides its plan when its model's task is tag, answer or fill_mask.
#pragma once

#include "session/session.h"
#include "tasks/answer_finder.h"
#include "tasks/documents.h"
#include "tasks/mask_filler.h"
#include "tasks/tagger.h"

namespace kinglet {

struct TaskSession {
  Documents documents;
  Tagger tagger;
  AnswerFinder answers;
  MaskFiller masks;
  uint32_t top_k = 0;

  // Allocates what the model's task needs; nothing for other tasks. INVALID_ARGUMENT, OUT_OF_MEMORY.
  kinglet_status create(const Session& session, const kinglet_session_options& options, Error& error);
  size_t memory() const { return documents.memory() + tagger.memory() + answers.memory() + masks.memory(); }
};

}  // namespace kinglet
