/* What kinglet.js calls: the C API with its structs taken apart, for one model and one session per WebAssembly
 * instance. Addresses are byte offsets into the instance's memory; statuses are kinglet_status. Nothing here is
 * thread-safe: an instance belongs to one thread. */
#include <stdlib.h>

#include "kinglet.h"

#define EXPORT(name) __attribute__((export_name(#name)))

static kinglet_model* model;
static kinglet_session* session;
static kinglet_model_info info;
static const char* message = "";

static kinglet_status note(kinglet_status status, const char* text) {
  message = status == KINGLET_OK ? "" : text != NULL ? text : kinglet_status_name(status);
  return status;
}

static kinglet_input text_input(const char* text, size_t length, const char* pair, size_t pair_length) {
  kinglet_input input = {0};
  input.text = text;
  input.text_length = length;
  input.pair = pair; /* 0: none */
  input.pair_length = pair_length;
  return input;
}

EXPORT(message) const char* last_message(void) { return message; }
EXPORT(version) const char* version(void) { return kinglet_version(); }
EXPORT(isa) const char* isa(void) { return kinglet_isa(); }

/* `data` must stay as it is while the instance lives. prompt 0: the model's default. */
EXPORT(open) int open_model(const void* data, size_t size) {
  const kinglet_status status = kinglet_model_open_memory(data, size, &model);
  if (status == KINGLET_OK) {
    info.struct_size = sizeof(info);
    kinglet_model_get_info(model, &info);
  }
  return note(status, kinglet_model_message(model));
}

EXPORT(start)
int start_session(uint32_t max_length, int raw_outputs, const char* prompt, uint32_t document_tokens, uint32_t top_k) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.max_length = max_length;
  options.raw_outputs = raw_outputs;
  options.document_tokens = document_tokens;
  options.top_k = top_k;
  options.offset_unit = KINGLET_OFFSETS_UTF16;
  options.prompt = prompt;
  kinglet_session_close(session);
  session = NULL;
  const kinglet_status status = kinglet_session_create(model, &options, &session);
  return note(status, kinglet_session_message(session));
}

EXPORT(self_test) int self_test(void) {
  return note(kinglet_model_self_test(model), kinglet_model_message(model));
}

EXPORT(task) int task(void) { return (int)info.task; }
EXPORT(scoring) int scoring(void) { return (int)info.scoring; }
EXPORT(max_length) uint32_t max_length(void) { return info.max_length; }
EXPORT(vocabulary) uint32_t vocabulary(void) { return info.vocabulary; }
EXPORT(label_count) uint32_t label_count(void) { return info.label_count; }
EXPORT(embedding_size) uint32_t embedding_size(void) { return info.embedding_size; }
EXPORT(has_tokenizer) int has_tokenizer(void) { return info.has_tokenizer; }
EXPORT(architecture) const char* architecture(void) { return info.architecture; }
EXPORT(precision) const char* precision(void) { return info.precision; }
EXPORT(label) const char* label(uint32_t index) { return kinglet_model_label(model, index); }
EXPORT(prompt) const char* prompt(uint32_t index) { return kinglet_model_prompt_name(model, index); }
EXPORT(token) const char* token(int32_t id, size_t* length) { return kinglet_model_token(model, id, length); }

EXPORT(token_text) size_t token_text(int32_t id, char* text, size_t capacity) {
  return kinglet_model_token_text(model, id, text, capacity);
}

EXPORT(tokenize)
int tokenize(const char* text, size_t length, const char* pair, size_t pair_length, uint32_t limit, int32_t* ids,
             int32_t* type_ids, kinglet_span* offsets, size_t capacity, size_t* count, int* truncated) {
  const kinglet_input input = text_input(text, length, pair, pair_length);
  const kinglet_status status =
      kinglet_tokenize(session, &input, limit, ids, type_ids, offsets, capacity, count, truncated);
  return note(status, kinglet_session_message(session));
}

EXPORT(embed) int embed(const char* text, size_t length, float* embedding, uint8_t* truncated) {
  const kinglet_input input = text_input(text, length, NULL, 0);
  return note(kinglet_embed(session, &input, 1, embedding, truncated), kinglet_session_message(session));
}

EXPORT(classify)
int classify(const char* text, size_t length, const char* pair, size_t pair_length, float* scores, float* logits,
             uint8_t* truncated) {
  const kinglet_input input = text_input(text, length, pair, pair_length);
  return note(kinglet_classify(session, &input, 1, scores, logits, truncated), kinglet_session_message(session));
}

/* The score of one text. */
EXPORT(rerank) int rerank(const char* query, size_t query_length, const char* text, size_t length, float* score) {
  const kinglet_input question = text_input(query, query_length, NULL, 0), input = text_input(text, length, NULL, 0);
  return note(kinglet_rerank(session, &question, &input, 1, score, NULL), kinglet_session_message(session));
}

/* The three tasks that keep results in the session leave their address and number in *found and *count; kinglet.js
 * reads them as arrays of 32-bit numbers. */
_Static_assert(sizeof(kinglet_entity) == 20 && offsetof(kinglet_entity, score) == 8, "as in kinglet.js");
_Static_assert(offsetof(kinglet_entity, label_index) == 12 && offsetof(kinglet_entity, label) == 16, "as in kinglet.js");
_Static_assert(sizeof(kinglet_answer_span) == 12 && offsetof(kinglet_answer_span, score) == 8, "as in kinglet.js");
_Static_assert(sizeof(kinglet_prediction) == 8 && offsetof(kinglet_prediction, score) == 4, "as in kinglet.js");

EXPORT(tag)
int tag(const char* text, size_t length, int aggregation, int windows, uint32_t stride, const kinglet_entity** found,
        size_t* count) {
  const kinglet_input input = text_input(text, length, NULL, 0);
  kinglet_tag_options options = KINGLET_TAG_OPTIONS_INIT;
  options.aggregation = (kinglet_aggregation)aggregation;
  options.windows = windows;
  options.stride = stride;
  kinglet_status status = kinglet_tag(session, &input, 1, &options, NULL);
  if (status == KINGLET_OK) {
    status = kinglet_session_entities(session, 0, found, count);
  }
  return note(status, kinglet_session_message(session));
}

EXPORT(answer)
int answer(const char* question, size_t question_length, const char* context, size_t context_length, uint32_t top_k,
           uint32_t max_answer_tokens, uint32_t max_window, uint32_t stride, int no_answer,
           const kinglet_answer_span** found, size_t* count) {
  const kinglet_input input = text_input(question, question_length, context, context_length);
  kinglet_answer_options options = KINGLET_ANSWER_OPTIONS_INIT;
  options.top_k = top_k;
  options.max_answer_tokens = max_answer_tokens;
  options.max_length = max_window;
  options.stride = stride;
  options.no_answer = no_answer;
  kinglet_status status = kinglet_answer(session, &input, 1, &options);
  if (status == KINGLET_OK) {
    status = kinglet_session_answers(session, 0, found, count);
  }
  return note(status, kinglet_session_message(session));
}

/* *count: the masks, whose results `predictions` gives. */
EXPORT(fill_mask)
int fill_mask(const char* text, size_t length, const char* pair, size_t pair_length, uint32_t top_k, size_t* count) {
  const kinglet_input input = text_input(text, length, pair, pair_length);
  kinglet_status status = kinglet_fill_mask(session, &input, 1, top_k, NULL);
  if (status == KINGLET_OK) {
    status = kinglet_session_masks(session, 0, count);
  }
  return note(status, kinglet_session_message(session));
}

EXPORT(predictions) int predictions(size_t mask, const kinglet_prediction** found, size_t* count) {
  return note(kinglet_session_predictions(session, 0, mask, found, count), kinglet_session_message(session));
}

EXPORT(encode)
int encode(const char* text, size_t length, const char* pair, size_t pair_length, uint8_t* truncated) {
  const kinglet_input input = text_input(text, length, pair, pair_length);
  return note(kinglet_encode(session, &input, 1, truncated), kinglet_session_message(session));
}

/* One raw output of the last encode: its data, and its name and shape in *name, *rank and shape[2]. 0 at the end. */
EXPORT(output) const float* output(uint32_t index, const char** name, uint32_t* rank, uint32_t* shape) {
  kinglet_output view;
  if (index >= info.output_count || kinglet_session_output(session, 0, index, &view) != KINGLET_OK) {
    return NULL;
  }
  *name = view.name;
  *rank = view.rank;
  shape[0] = view.shape[0];
  shape[1] = view.shape[1];
  return view.data;
}
