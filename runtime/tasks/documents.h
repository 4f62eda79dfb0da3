// The tokens of the texts of a call, however long, and their way through the session: in windows that fit it, a batch
// of windows at a time. Windows are cut as `tokenizers` does it with truncation and a stride.
#pragma once

#include <cstdint>
#include <cstring>

#include "base/buffer.h"
#include "base/error.h"
#include "session/session.h"

namespace kinglet {

// Places in the arrays of Documents: [begin, end) are the document's tokens, of which [body_begin, body_end) are those
// of the text that windows move over; what is before and after (special tokens, a question) is in every window.
struct Document {
  uint32_t begin = 0, body_begin = 0, body_end = 0, end = 0;
};

// Tokens [begin, end) of the body of a document.
struct Window {
  uint32_t document = 0;
  uint32_t begin = 0, end = 0;
  bool last = false;  // of its document
};

// How long texts are read.
struct Windowing {
  uint32_t max_length = 0;  // tokens of a window
  uint32_t stride = 0;      // tokens that it shares with the one before it
  bool fit_stride = false;  // a stride that a window has no room for becomes half of the room, instead of an error
};

class Documents {
 public:
  enum class Body { text, pair };  // what windows move over

  // `tokens`: the most that the documents of a call may have together. OUT_OF_MEMORY.
  kinglet_status create(const Session& session, uint32_t tokens, Error& error);
  size_t memory() const;
  uint32_t capacity() const { return static_cast<uint32_t>(ids_.size()); }

  // Tokenizes the inputs of a call. Texts are cut to `cut` tokens (0: not at all), and truncated[i] says so.
  // INVALID_ARGUMENT for inputs of the wrong kind: `ids` says whether ids will do (their body is all of them), a Body
  // of pair needs one.
  kinglet_status load(const Session& session, const kinglet_input* inputs, size_t count, Body body, bool ids,
                      uint32_t cut, uint8_t* truncated, Error& error);

  uint32_t size() const { return count_; }
  const Document& operator[](uint32_t index) const { return documents_[index]; }
  // By place; ids and spans of bytes. Words are those of TokenSink.
  int32_t id(uint32_t token) const { return ids_[token]; }
  kinglet_span span(uint32_t token) const { return offsets_[token]; }
  uint32_t word(uint32_t token) const { return words_[token]; }
  // Where token `at` of a window lies in the arrays.
  uint32_t token_of(const Window& window, uint32_t at) const {
    const Document& document = documents_[window.document];
    const uint32_t prefix = document.body_begin - document.begin;
    if (at < prefix) {
      return document.begin + at;
    }
    const uint32_t behind = window.begin + (at - prefix);
    return behind < window.end ? behind : document.body_end + (behind - window.end);
  }
  // Tokens of a window, those around the body included.
  uint32_t length_of(const Window& window) const {
    const Document& document = documents_[window.document];
    return (window.end - window.begin) + around(document);
  }

  // Runs every window of every document, and then consume(window, sequence) in their order: it may read the session's
  // results of that sequence, and returns a status.
  template <typename Consume>
  kinglet_status run(Session& session, const Windowing& windowing, Error& error, Consume consume) {
    uint32_t pending = 0;
    session.clear();
    const auto flush = [&]() -> kinglet_status {
      KINGLET_TRY(session.run(error));
      for (uint32_t i = 0; i < pending; ++i) {
        KINGLET_TRY(consume(pending_[i], i));
      }
      pending = 0;
      session.clear();
      return KINGLET_OK;
    };
    for (uint32_t i = 0; i < count_; ++i) {
      uint32_t room = 0, step = 0;
      KINGLET_TRY(measure(i, windowing, &room, &step, error));
      const Document& document = documents_[i];
      for (uint32_t begin = document.body_begin;; begin += step) {
        const bool last = document.body_end - begin <= room;
        const Window window{i, begin, last ? document.body_end : begin + room, last};
        KINGLET_TRY(add(session, window, error));
        pending_[pending++] = window;
        if (pending == session.batch()) {
          KINGLET_TRY(flush());
        }
        if (last) {
          break;
        }
      }
    }
    return pending > 0 ? flush() : KINGLET_OK;
  }

 private:
  static uint32_t around(const Document& document) {
    return (document.end - document.begin) - (document.body_end - document.body_begin);
  }
  kinglet_status load_ids(const kinglet_input& input, size_t index, uint32_t used, uint32_t* size, Error& error);
  void find_body(Document& document, uint32_t first) const;
  // The tokens that a window of document `index` has room for, and how far the next one begins behind it.
  kinglet_status measure(uint32_t index, const Windowing& windowing, uint32_t* room, uint32_t* step,
                         Error& error) const;
  kinglet_status add(Session& session, const Window& window, Error& error);

  Buffer<int32_t> ids_, type_ids_;
  Buffer<kinglet_span> offsets_;
  Buffer<uint32_t> words_;
  Buffer<Document> documents_;
  Buffer<Window> pending_;
  Buffer<int32_t> window_ids_, window_types_;
  uint32_t count_ = 0;
};

}  // namespace kinglet
