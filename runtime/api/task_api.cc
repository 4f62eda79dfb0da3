// The functions of kinglet.h for tagging, answering and filling masks.
#include <cstring>

#include "api/handles.h"

namespace {

using kinglet::Error;
using kinglet::fail;
using kinglet::fmt::Task;

static_assert(sizeof(kinglet_aggregation) == sizeof(uint32_t));

constexpr uint32_t kDefaultAnswerTokens = 15, kDefaultPredictions = 5;

// The options that the caller knows of, the others 0.
template <typename Options>
kinglet_status read_options(const Options* given, Options* out, Error& error) {
  *out = {};
  if (given == nullptr) {
    return KINGLET_OK;
  }
  if (given->struct_size < sizeof(size_t) || given->struct_size > sizeof(*out)) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "options.struct_size: %zu, expected at most %zu (use its _INIT macro)",
                given->struct_size, sizeof(*out));
  }
  std::memcpy(out, given, given->struct_size);
  return KINGLET_OK;
}

kinglet_status begin(kinglet_session* session, Task task, const char* what) {
  KINGLET_TRY(kinglet::check_session(session));
  const Task actual = session->session.model().table().task();
  if (actual != task) {
    return fail(session->error, KINGLET_WRONG_TASK, "the model %s: it was converted for the task %s", what,
                kinglet::fmt::EnumNameTask(actual));
  }
  session->session.begin_call();
  return KINGLET_OK;
}

kinglet_status no_such_input(kinglet_session* session, size_t input) {
  return fail(session->error, KINGLET_INVALID_ARGUMENT, "input %zu: the last call kept no results for it", input);
}

kinglet_status check_top_k(const kinglet_session& session, uint32_t top_k, Error& error) {
  return top_k <= session.tasks.top_k
             ? KINGLET_OK
             : fail(error, KINGLET_INVALID_ARGUMENT, "top_k: %u, but the session was made for at most %u", top_k,
                    session.tasks.top_k);
}

}  // namespace

kinglet_status kinglet_tag(kinglet_session* session, const kinglet_input* inputs, size_t count,
                           const kinglet_tag_options* options, uint8_t* truncated) {
  KINGLET_TRY(begin(session, Task::tag, "tags no texts"));
  kinglet_tag_options full;
  KINGLET_TRY(read_options(options, &full, session->error));
  uint32_t aggregation;  // whatever the caller's bytes say, which need not be a value of the enum
  std::memcpy(&aggregation, &full.aggregation, sizeof(aggregation));
  if (aggregation > KINGLET_AGGREGATION_MAX) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "aggregation: %u is not a kinglet_aggregation", aggregation);
  }
  if (full.windows == 0 && full.stride != 0) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "stride: %u, expected 0 without windows", full.stride);
  }
  return session->tasks.tagger.run(session->session, session->tasks.documents, inputs, count, full, truncated,
                                   session->error);
}

kinglet_status kinglet_session_entities(kinglet_session* session, size_t input, const kinglet_entity** entities,
                                        size_t* count) {
  KINGLET_TRY(kinglet::check_session(session));
  if (entities == nullptr || count == nullptr) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "entities or count: NULL");
  }
  return session->tasks.tagger.entities(input, entities, count) ? KINGLET_OK : no_such_input(session, input);
}

kinglet_status kinglet_answer(kinglet_session* session, const kinglet_input* inputs, size_t count,
                              const kinglet_answer_options* options) {
  KINGLET_TRY(begin(session, Task::answer, "answers no questions"));
  kinglet_answer_options full;
  KINGLET_TRY(read_options(options, &full, session->error));
  full.top_k = full.top_k != 0 ? full.top_k : 1;
  full.max_answer_tokens = full.max_answer_tokens != 0 ? full.max_answer_tokens : kDefaultAnswerTokens;
  KINGLET_TRY(check_top_k(*session, full.top_k, session->error));
  if (full.max_length > session->session.max_length()) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "max_length: %u is more than the session's %u tokens",
                full.max_length, session->session.max_length());
  }
  return session->tasks.answers.run(session->session, session->tasks.documents, inputs, count, full, session->error);
}

kinglet_status kinglet_session_answers(kinglet_session* session, size_t input, const kinglet_answer_span** answers,
                                       size_t* count) {
  KINGLET_TRY(kinglet::check_session(session));
  if (answers == nullptr || count == nullptr) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "answers or count: NULL");
  }
  return session->tasks.answers.answers(input, answers, count) ? KINGLET_OK : no_such_input(session, input);
}

kinglet_status kinglet_fill_mask(kinglet_session* session, const kinglet_input* inputs, size_t count, uint32_t top_k,
                                 uint8_t* truncated) {
  KINGLET_TRY(begin(session, Task::fill_mask, "fills no masks"));
  if (top_k == 0) {
    top_k = kDefaultPredictions < session->tasks.top_k ? kDefaultPredictions : session->tasks.top_k;
  }
  KINGLET_TRY(check_top_k(*session, top_k, session->error));
  return session->tasks.masks.run(session->session, session->tasks.documents, inputs, count, top_k, truncated,
                                  session->error);
}

kinglet_status kinglet_session_masks(kinglet_session* session, size_t input, size_t* count) {
  KINGLET_TRY(kinglet::check_session(session));
  if (count == nullptr) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "count: NULL");
  }
  return session->tasks.masks.masks(input, count) ? KINGLET_OK : no_such_input(session, input);
}

kinglet_status kinglet_session_predictions(kinglet_session* session, size_t input, size_t mask,
                                           const kinglet_prediction** predictions, size_t* count) {
  KINGLET_TRY(kinglet::check_session(session));
  if (predictions == nullptr || count == nullptr) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "predictions or count: NULL");
  }
  return session->tasks.masks.predictions(input, mask, predictions, count)
             ? KINGLET_OK
             : fail(session->error, KINGLET_INVALID_ARGUMENT, "mask %zu of input %zu: the last call kept no such", mask,
                    input);
}
