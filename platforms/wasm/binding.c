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

EXPORT(start) int start_session(uint32_t max_length, uint32_t batch, int raw_outputs, const char* prompt) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.max_length = max_length;
  options.batch = batch;
  options.raw_outputs = raw_outputs;
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
