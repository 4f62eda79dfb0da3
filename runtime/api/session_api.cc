// The functions of kinglet.h on sessions.
#include <cmath>
#include <cstring>

#include "api/handles.h"
#include "base/fp_environment.h"
#include "session/offset_units.h"

namespace {

using kinglet::check_session;
using kinglet::Error;
using kinglet::fail;
using kinglet::Session;

// The options that the caller knows of, the others 0.
kinglet_status read_options(const kinglet_session_options* given, kinglet_session_options* out, Error& error) {
  *out = KINGLET_SESSION_OPTIONS_INIT;
  if (given == nullptr) {
    return KINGLET_OK;
  }
  if (given->struct_size < sizeof(size_t) || given->struct_size > sizeof(*out)) {
    return fail(error, KINGLET_INVALID_ARGUMENT,
                "options.struct_size: %zu, expected at most %zu (use KINGLET_SESSION_OPTIONS_INIT)", given->struct_size,
                sizeof(*out));
  }
  std::memcpy(out, given, given->struct_size);
  return KINGLET_OK;
}

// Runs inputs a batch at a time; finish(input index, sequence in the batch) copies a result out.
template <typename Finish>
kinglet_status run_batches(kinglet_session* handle, const kinglet_input* inputs, size_t count, std::string_view prefix,
                           uint8_t* truncated, Finish finish) {
  Session& session = handle->session;
  session.begin_call();
  if (inputs == nullptr && count > 0) {
    return fail(handle->error, KINGLET_INVALID_ARGUMENT, "inputs: NULL, expected %zu of them", count);
  }
  for (size_t done = 0; done < count;) {
    session.clear();
    const size_t end = count - done < session.batch() ? count : done + session.batch();
    for (size_t i = done; i < end; ++i) {
      bool cut = false;
      KINGLET_TRY(session.add(inputs[i], prefix, i, &cut, handle->error));
      if (truncated != nullptr) {
        truncated[i] = cut ? 1 : 0;
      }
    }
    KINGLET_TRY(session.run(handle->error));
    for (size_t i = done; i < end; ++i) {
      finish(i, static_cast<uint32_t>(i - done));
    }
    done = end;
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status kinglet_session_create(kinglet_model* model, const kinglet_session_options* options,
                                      kinglet_session** out) {
  if (out == nullptr) {
    return KINGLET_INVALID_ARGUMENT;
  }
  kinglet_session* handle = *out = kinglet::make<kinglet_session>();
  if (handle == nullptr) {
    return KINGLET_OUT_OF_MEMORY;
  }
  if (model == nullptr || !model->open) {
    return fail(handle->error, KINGLET_INVALID_ARGUMENT, "model: %s",
                model == nullptr ? "NULL" : "could not be opened");
  }
  model->references.fetch_add(1, std::memory_order_relaxed);
  handle->model = model;
  kinglet_session_options full;
  KINGLET_TRY(read_options(options, &full, handle->error));
  KINGLET_TRY(handle->session.create(model->model, full, handle->error));
  KINGLET_TRY(handle->tasks.create(handle->session, full, handle->error));
  handle->ready = true;
  return KINGLET_OK;
}

void kinglet_session_close(kinglet_session* session) {
  if (session != nullptr) {
    kinglet_model* model = session->model;
    kinglet::destroy(session);
    kinglet_model_close(model);
  }
}

const char* kinglet_session_message(const kinglet_session* session) {
  return session != nullptr ? session->error.message : "out of memory";
}

void kinglet_session_cancel(kinglet_session* session) {
  if (session != nullptr) {
    session->session.cancel();
  }
}

size_t kinglet_session_memory(const kinglet_session* session) {
  return session != nullptr && session->ready ? session->session.memory() + session->tasks.memory() : 0;
}

kinglet_status kinglet_tokenize(kinglet_session* session, const kinglet_input* input, uint32_t max_length, int32_t* ids,
                                int32_t* type_ids, kinglet_span* offsets, size_t capacity, size_t* count,
                                int* truncated) {
  KINGLET_TRY(check_session(session));
  Error& error = session->error;
  const kinglet::Model& model = session->session.model();
  if (!model.has_tokenizer()) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "the model has no tokenizer");
  }
  if (input != nullptr && input->ids != nullptr) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "input->ids: given, expected a text to tokenize");
  }
  if (input == nullptr || count == nullptr || (input->text == nullptr && input->text_length > 0) ||
      (input->pair == nullptr && input->pair_length > 0)) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "input, input->text or count: NULL");
  }
  kinglet::TokenSink sink;
  sink.ids = ids;
  sink.type_ids = type_ids;
  sink.offsets = offsets;
  sink.capacity = capacity;
  const std::string_view text(input->text, input->text_length);
  const std::string_view pair(input->pair, input->pair_length);
  KINGLET_TRY(model.tokenizer().encode({}, text, input->pair != nullptr ? &pair : nullptr, max_length, sink, error));
  *count = sink.size;
  if (truncated != nullptr) {
    *truncated = sink.truncated ? 1 : 0;
  }
  if (sink.size > capacity) {
    return fail(error, KINGLET_TOO_LONG, "%zu tokens, but the arrays have room for %zu", sink.size, capacity);
  }
  if (offsets != nullptr) {
    const size_t first = sink.pair_begin < sink.size ? sink.pair_begin : sink.size;
    kinglet::convert_offsets(session->session.offset_unit(), text, offsets, first);
    kinglet::convert_offsets(session->session.offset_unit(), pair, offsets + first, sink.size - first);
  }
  return KINGLET_OK;
}

kinglet_status kinglet_embed(kinglet_session* session, const kinglet_input* inputs, size_t count, float* embeddings,
                             uint8_t* truncated) {
  KINGLET_TRY(check_session(session));
  const kinglet::Plan& plan = session->session.plan();
  const uint32_t slot = plan.embedding_slot();
  if (slot == kinglet::kNone) {
    return fail(session->error, KINGLET_WRONG_TASK,
                "the model gives no embeddings: it was not converted for the task embed");
  }
  if (embeddings == nullptr && count > 0) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "embeddings: NULL");
  }
  const size_t width = plan.slot(slot).width;
  return run_batches(session, inputs, count, session->session.prompt(), truncated, [&](size_t i, uint32_t sequence) {
    std::memcpy(embeddings + i * width, session->session.sequence_row(slot, sequence), width * sizeof(float));
  });
}

kinglet_status kinglet_classify(kinglet_session* session, const kinglet_input* inputs, size_t count, float* scores,
                                float* logits, uint8_t* truncated) {
  KINGLET_TRY(check_session(session));
  const kinglet::Plan& plan = session->session.plan();
  const uint32_t slot = plan.logits_slot();
  if (slot == kinglet::kNone) {
    return fail(session->error, KINGLET_WRONG_TASK,
                "the model gives no class scores: it was not converted for the task classify");
  }
  if (scores == nullptr && count > 0) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "scores: NULL");
  }
  const size_t width = plan.slot(slot).width;
  const kinglet::fmt::Scoring scoring = session->session.model().table().scoring();
  return run_batches(session, inputs, count, {}, truncated, [&](size_t i, uint32_t sequence) {
    const kinglet::FpEnvironment environment;
    const float* row = session->session.sequence_row(slot, sequence);
    if (logits != nullptr) {
      std::memcpy(logits + i * width, row, width * sizeof(float));
    }
    float* out = scores + i * width;
    if (scoring == kinglet::fmt::Scoring::softmax) {
      kinglet::kernels::softmax_f32(row, width, out);
      return;
    }
    for (size_t j = 0; j < width; ++j) {
      out[j] = scoring == kinglet::fmt::Scoring::sigmoid ? kinglet::kernels::sigmoid_f32(row[j]) : row[j];
    }
  });
}

kinglet_status kinglet_rerank(kinglet_session* session, const kinglet_input* query, const kinglet_input* texts,
                              size_t count, float* scores, uint8_t* truncated) {
  KINGLET_TRY(check_session(session));
  Error& error = session->error;
  Session& inner = session->session;
  const uint32_t slot = inner.plan().logits_slot();
  if (slot == kinglet::kNone || inner.plan().slot(slot).width != 1) {
    return fail(error, KINGLET_WRONG_TASK, "the model ranks no texts: expected a classifier with one output");
  }
  const auto is_text = [](const kinglet_input& input) {
    return input.ids == nullptr && input.pair == nullptr && (input.text != nullptr || input.text_length == 0);
  };
  if (query == nullptr || !is_text(*query)) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "query: expected one text");
  }
  if ((texts == nullptr || scores == nullptr) && count > 0) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "%s: NULL", texts == nullptr ? "texts" : "scores");
  }
  const kinglet::fmt::Scoring scoring = inner.model().table().rank_scoring();
  inner.begin_call();
  for (size_t done = 0; done < count;) {
    inner.clear();
    const size_t end = count - done < inner.batch() ? count : done + inner.batch();
    for (size_t i = done; i < end; ++i) {
      if (!is_text(texts[i])) {
        return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: expected one text", i);
      }
      kinglet_input pair = *query;
      pair.pair = texts[i].text != nullptr ? texts[i].text : "";
      pair.pair_length = texts[i].text_length;
      bool cut = false;
      KINGLET_TRY(inner.add(pair, {}, i, &cut, error));
      if (truncated != nullptr) {
        truncated[i] = cut ? 1 : 0;
      }
    }
    KINGLET_TRY(inner.run(error));
    const kinglet::FpEnvironment environment;
    for (size_t i = done; i < end; ++i) {
      const float logit = *inner.sequence_row(slot, static_cast<uint32_t>(i - done));
      scores[i] = scoring == kinglet::fmt::Scoring::sigmoid ? kinglet::kernels::sigmoid_f32(logit) : logit;
    }
    done = end;
  }
  return KINGLET_OK;
}

float kinglet_cosine(const float* a, const float* b, size_t size) {
  if (a == nullptr || b == nullptr) {
    return 0.0f;
  }
  const kinglet::FpEnvironment environment;
  double product = 0, squares_a = 0, squares_b = 0;
  for (size_t i = 0; i < size; ++i) {
    product += double{a[i]} * b[i];
    squares_a += double{a[i]} * a[i];
    squares_b += double{b[i]} * b[i];
  }
  if (!(squares_a > 0) || !(squares_b > 0)) {
    return 0.0f;
  }
  const double cosine = product / (std::sqrt(squares_a) * std::sqrt(squares_b));
  return static_cast<float>(cosine > 1 ? 1 : cosine < -1 ? -1 : cosine);
}

kinglet_status kinglet_encode(kinglet_session* session, const kinglet_input* inputs, size_t count, uint8_t* truncated) {
  KINGLET_TRY(check_session(session));
  if (!session->session.plan().capacity().raw_outputs) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "the session was made without raw_outputs");
  }
  if (count > session->session.batch()) {
    return fail(session->error, KINGLET_TOO_LONG, "%zu inputs, but the session's batch is %u", count,
                session->session.batch());
  }
  session->session.clear();
  return run_batches(session, inputs, count, {}, truncated, [](size_t, uint32_t) {});
}

kinglet_status kinglet_session_output(kinglet_session* session, size_t input, uint32_t output, kinglet_output* view) {
  KINGLET_TRY(check_session(session));
  if (view == nullptr) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "view: NULL");
  }
  return session->session.output(input, output, view, session->error);
}
