// Tokenizing the texts of a call, and cutting them into windows.
#include "tasks/documents.h"

namespace kinglet {

kinglet_status Documents::create(const Session& session, uint32_t tokens, Error& error) {
  const bool fits = ids_.allocate(tokens) && type_ids_.allocate(tokens) && offsets_.allocate(tokens) &&
                    words_.allocate(tokens) && documents_.allocate(session.batch()) &&
                    pending_.allocate(session.batch()) && window_ids_.allocate(session.max_length()) &&
                    window_types_.allocate(session.max_length());
  return fits ? KINGLET_OK : fail(error, KINGLET_OUT_OF_MEMORY, "no memory for documents of %u tokens", tokens);
}

size_t Documents::memory() const {
  return ids_.bytes() + type_ids_.bytes() + offsets_.bytes() + words_.bytes() + documents_.bytes() +
         pending_.bytes() + window_ids_.bytes() + window_types_.bytes();
}

kinglet_status Documents::load(const Session& session, const kinglet_input* inputs, size_t count, Body body, bool ids,
                               uint32_t cut, uint8_t* truncated, Error& error) {
  count_ = 0;
  if (inputs == nullptr && count > 0) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "inputs: NULL, expected %zu of them", count);
  }
  if (count > session.batch()) {
    return fail(error, KINGLET_TOO_LONG, "%zu inputs, but the session's batch is %u", count, session.batch());
  }
  const Model& model = session.model();
  uint32_t used = 0;
  for (size_t i = 0; i < count; ++i) {
    const kinglet_input& input = inputs[i];
    Document& document = documents_[i];
    document.begin = document.body_begin = used;
    uint32_t size = 0;
    bool was_cut = false;
    if (input.ids != nullptr) {
      if (!ids) {
        return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: given as ids, expected a text", i);
      }
      KINGLET_TRY(load_ids(input, i, used, &size, error));
      document.body_end = used + size;
    } else {
      if (!model.has_tokenizer()) {
        return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: the model has no tokenizer%s", i,
                    ids ? "; it takes ids only" : "");
      }
      if ((input.text == nullptr && input.text_length > 0) || (input.pair == nullptr && input.pair_length > 0) ||
          (body == Body::pair && (input.text == nullptr || input.pair == nullptr))) {
        return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: %s", i,
                    body == Body::pair ? "expected a question and a context" : "neither a text nor ids");
      }
      TokenSink sink;
      sink.ids = &ids_[used];
      sink.type_ids = &type_ids_[used];
      sink.offsets = &offsets_[used];
      sink.words = &words_[used];
      sink.capacity = capacity() - used;
      const std::string_view pair(input.pair, input.pair_length);
      KINGLET_TRY(model.tokenizer().encode({}, std::string_view(input.text, input.text_length),
                                           input.pair != nullptr ? &pair : nullptr, cut, sink, error));
      if (sink.size > sink.capacity) {
        return fail(error, KINGLET_TOO_LONG, "input %zu: %zu tokens, but the session's document_tokens leave %zu", i,
                    sink.size, sink.capacity);
      }
      size = static_cast<uint32_t>(sink.size);
      was_cut = sink.truncated;
      document.end = used + size;
      find_body(document, body == Body::pair && sink.pair_begin < sink.size
                              ? used + static_cast<uint32_t>(sink.pair_begin)
                              : used);
    }
    document.end = used + size;
    if (size == 0) {
      return fail(error, KINGLET_INVALID_ARGUMENT, "input %zu: no tokens, expected one at least", i);
    }
    if (truncated != nullptr) {
      truncated[i] = was_cut ? 1 : 0;
    }
    used += size;
  }
  count_ = static_cast<uint32_t>(count);
  return KINGLET_OK;
}

kinglet_status Documents::load_ids(const kinglet_input& input, size_t index, uint32_t used, uint32_t* size,
                                   Error& error) {
  if (input.id_count > capacity() - used) {
    return fail(error, KINGLET_TOO_LONG, "input %zu: %zu ids, expected at most %u", index, input.id_count,
                capacity() - used);
  }
  *size = static_cast<uint32_t>(input.id_count);
  if (*size == 0) {
    return KINGLET_OK;
  }
  std::memcpy(&ids_[used], input.ids, *size * sizeof(int32_t));
  if (input.type_ids != nullptr) {
    std::memcpy(&type_ids_[used], input.type_ids, *size * sizeof(int32_t));
  } else {
    std::memset(&type_ids_[used], 0, *size * sizeof(int32_t));
  }
  return KINGLET_OK;
}

// From the first to the last token from `first` on that the template has not added.
void Documents::find_body(Document& document, uint32_t first) const {
  uint32_t begin = first, end = document.end;
  while (begin < end && offsets_[begin].begin == KINGLET_NO_OFFSET) {
    ++begin;
  }
  while (end > begin && offsets_[end - 1].begin == KINGLET_NO_OFFSET) {
    --end;
  }
  if (begin == end) {
    begin = end = first;  // an empty text
  }
  document.body_begin = begin;
  document.body_end = end;
}

kinglet_status Documents::measure(uint32_t index, const Windowing& windowing, uint32_t* room, uint32_t* step,
                                  Error& error) const {
  const Document& document = documents_[index];
  const uint32_t body = document.body_end - document.body_begin, rest = around(document);
  *room = windowing.max_length > rest ? windowing.max_length - rest : 0;
  *step = 1;
  if (body <= *room && rest <= windowing.max_length) {
    return KINGLET_OK;
  }
  if (*room == 0) {
    return fail(error, KINGLET_TOO_LONG, "input %u: a window of %u tokens has no room for the text beside %u others",
                index, windowing.max_length, rest);
  }
  uint32_t stride = windowing.stride;
  if (stride >= *room) {
    if (!windowing.fit_stride) {
      return fail(error, KINGLET_INVALID_ARGUMENT,
                  "input %u: stride is %u, expected less than the %u tokens of the text that a window has room for",
                  index, stride, *room);
    }
    stride = *room / 2;
  }
  *step = *room - stride;
  return KINGLET_OK;
}

kinglet_status Documents::add(Session& session, const Window& window, Error& error) {
  const uint32_t length = length_of(window);
  if (length > session.max_length()) {
    return fail(error, KINGLET_TOO_LONG, "input %u: %u ids, expected at most %u", window.document, length,
                session.max_length());
  }
  for (uint32_t i = 0; i < length; ++i) {
    const uint32_t token = token_of(window, i);
    window_ids_[i] = ids_[token];
    window_types_[i] = type_ids_[token];
  }
  kinglet_input input = {};
  input.ids = window_ids_.data();
  input.type_ids = session.model().table().type_count() > 0 ? window_types_.data() : nullptr;
  input.id_count = length;
  bool cut = false;
  return session.add(input, {}, window.document, &cut, error);
}

}  // namespace kinglet
