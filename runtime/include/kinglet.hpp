// kinglet.hpp: a header-only C++17 face on the C API (kinglet.h), which stays the reference for every detail.
//
//   auto model = kinglet::Model::open("model.kgl");
//   if (!model) { std::puts(model.error().message().c_str()); return 1; }
//   auto session = kinglet::Session::create(*model);
//   auto embedding = session->embed("some text");       // Result<std::vector<float>>
//
// Errors        Everything that can fail returns a Result<T>: true when it holds a T, otherwise it holds an Error with
//               the status and the message of the C API. `*` and `->` on an error abort. With exceptions enabled there
//               is also value(), which throws kinglet::Exception; with -fno-exceptions there is no value().
// Ownership     Model and Session own their handles, can be moved and not copied. A Session keeps its model's data
//               alive: the Model may go first. A moved-from object may only be destroyed or assigned to.
// Threads       One Model may be used by any number of threads at once, one Session by one thread at a time; only
//               Session::cancel may be called from another thread meanwhile.
// Allocation    Functions that take plain pointers allocate nothing. Those that return a std::vector or std::string
//               allocate it, and every error allocates its message.
// Linking       The classes live in the inline namespace kinglet::cpp, so that their symbols never meet the library's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "kinglet.h"

#if defined(__cpp_exceptions)
#include <stdexcept>
#endif

namespace kinglet {
inline namespace cpp {

// Why something failed.
class Error {
 public:
  Error(kinglet_status status, std::string message) : status_(status), message_(std::move(message)) {}
  kinglet_status status() const noexcept { return status_; }
  // One line: what was wrong, where, and what was expected.
  const std::string& message() const noexcept { return message_; }

 private:
  kinglet_status status_;
  std::string message_;
};

#if defined(__cpp_exceptions)
// What Result::value() throws.
class Exception : public std::runtime_error {
 public:
  explicit Exception(const Error& error) : std::runtime_error(error.message()), status_(error.status()) {}
  kinglet_status status() const noexcept { return status_; }

 private:
  kinglet_status status_;
};
#endif

// A T, or the Error that prevented it.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit on purpose
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  kinglet_status status() const noexcept { return ok() ? KINGLET_OK : std::get_if<1>(&state_)->status(); }

  // Precondition: not ok(). Aborts otherwise.
  const Error& error() const { return checked(std::get_if<1>(&state_)); }

  // Precondition: ok(). Aborts otherwise.
  T& operator*() & { return checked(std::get_if<0>(&state_)); }
  const T& operator*() const& { return checked(std::get_if<0>(&state_)); }
  T&& operator*() && { return std::move(checked(std::get_if<0>(&state_))); }
  T* operator->() { return &checked(std::get_if<0>(&state_)); }
  const T* operator->() const { return &checked(std::get_if<0>(&state_)); }

#if defined(__cpp_exceptions)
  // The T, or throws Exception.
  T& value() & {
    if (!ok()) throw Exception(error());
    return **this;
  }
  T value() && {
    if (!ok()) throw Exception(error());
    return std::move(**this);
  }
#endif

 private:
  template <typename P>
  static P& checked(P* pointer) {
    if (pointer == nullptr) std::abort();
    return *pointer;
  }

  std::variant<T, Error> state_;
};

// Success, or the Error that prevented it.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit on purpose

  bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  kinglet_status status() const noexcept { return ok() ? KINGLET_OK : error_->status(); }
  // Precondition: not ok(). Aborts otherwise.
  const Error& error() const {
    if (ok()) std::abort();
    return *error_;
  }
#if defined(__cpp_exceptions)
  // Returns, or throws Exception.
  void value() const {
    if (!ok()) throw Exception(*error_);
  }
#endif

 private:
  std::optional<Error> error_;
};

// The library's version, and the kernel path in use (empty when KINGLET_ISA names one that is not available).
inline std::string_view version() { return kinglet_version(); }
inline std::string_view isa() {
  const char* name = kinglet_isa();
  return name != nullptr ? std::string_view(name) : std::string_view();
}

// Inputs point to the caller's bytes, which must live until the call that uses them returns.
using Input = kinglet_input;
using Span = kinglet_span;
using Output = kinglet_output;
using ThreadPool = kinglet_thread_pool;
using Entity = kinglet_entity;
using TagOptions = kinglet_tag_options;
using AnswerSpan = kinglet_answer_span;
using AnswerOptions = kinglet_answer_options;
using Prediction = kinglet_prediction;

// An array that belongs to someone else, here a session: valid until its next computation.
template <typename T>
struct View {
  const T* data = nullptr;
  size_t size = 0;

  const T* begin() const noexcept { return data; }
  const T* end() const noexcept { return data + size; }
  const T& operator[](size_t index) const noexcept { return data[index]; }
};

inline Input text_input(std::string_view text) {
  Input input{};
  input.text = text.data() != nullptr ? text.data() : "";
  input.text_length = text.size();
  return input;
}

inline Input pair_input(std::string_view text, std::string_view pair) {
  Input input = text_input(text);
  input.pair = pair.data() != nullptr ? pair.data() : "";
  input.pair_length = pair.size();
  return input;
}

// Token ids, special tokens included. `type_ids` may be null (all 0); otherwise it has `count` entries, too.
inline Input ids_input(const int32_t* ids, size_t count, const int32_t* type_ids = nullptr) {
  Input input{};
  input.ids = ids;
  input.type_ids = type_ids;
  input.id_count = count;
  return input;
}

// An open model file: immutable, safe to use from any thread.
class Model {
 public:
  // A file by path (UTF-8, 0-terminated).
  static Result<Model> open(const char* path) {
    kinglet_model* handle = nullptr;
    const kinglet_status status = kinglet_model_open_path(path, &handle);
    return take(status, handle);
  }
  static Result<Model> open(const std::string& path) { return open(path.c_str()); }

  // `length` bytes (0: all that follow) at `offset`, a multiple of 4, of a descriptor that stays the caller's.
  static Result<Model> open_fd(int fd, uint64_t offset = 0, uint64_t length = 0) {
    kinglet_model* handle = nullptr;
    const kinglet_status status = kinglet_model_open_fd(fd, offset, length, &handle);
    return take(status, handle);
  }

  // Memory at a multiple of 4 that must outlive the model and all of its sessions, unchanged.
  static Result<Model> open_memory(const void* data, size_t size) {
    kinglet_model* handle = nullptr;
    const kinglet_status status = kinglet_model_open_memory(data, size, &handle);
    return take(status, handle);
  }

  Model(Model&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Model& operator=(Model&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Model() { kinglet_model_close(handle_); }

  kinglet_model_info info() const {
    kinglet_model_info info{};
    info.struct_size = sizeof(info);
    kinglet_model_get_info(handle_, &info);
    return info;
  }

  // Names live as long as the model; empty when the index is out of range.
  std::string_view label(uint32_t index) const { return view(kinglet_model_label(handle_, index)); }
  std::string_view output_name(uint32_t index) const { return view(kinglet_model_output_name(handle_, index)); }
  std::string_view prompt_name(uint32_t index) const { return view(kinglet_model_prompt_name(handle_, index)); }
  std::string_view token(int32_t id) const {
    size_t length = 0;
    const char* text = kinglet_model_token(handle_, id, &length);
    return text != nullptr ? std::string_view(text, length) : std::string_view();
  }

  // What a token says by itself; see kinglet_model_token_text.
  std::string token_text(int32_t id) const {
    std::string text(3 * token(id).size() + 1, '\0');
    text.resize(kinglet_model_token_text(handle_, id, text.data(), text.size()));
    return text;
  }

  // Runs the samples inside the file. Not to be called by two threads at once (the message is the handle's).
  Result<void> self_test() {
    const kinglet_status status = kinglet_model_self_test(handle_);
    if (status != KINGLET_OK) return Error(status, kinglet_model_message(handle_));
    return {};
  }

  // The C handle, which stays this object's.
  kinglet_model* get() const noexcept { return handle_; }

 private:
  explicit Model(kinglet_model* handle) : handle_(handle) {}

  static Result<Model> take(kinglet_status status, kinglet_model* handle) {
    Model model(handle);
    if (status != KINGLET_OK) {
      return Error(status, handle != nullptr ? kinglet_model_message(handle) : kinglet_status_name(status));
    }
    return model;
  }

  static std::string_view view(const char* text) {
    return text != nullptr ? std::string_view(text) : std::string_view();
  }

  kinglet_model* handle_ = nullptr;
};

// See kinglet_session_options. `pool` and `prompt` are read by Session::create only; what `pool` points to and its
// `self` must outlive the session.
struct SessionOptions {
  uint32_t threads = 1;
  uint32_t max_length = 0;  // 0: the model's limit
  uint32_t batch = 1;
  kinglet_offset_unit offset_unit = KINGLET_OFFSETS_BYTES;
  bool raw_outputs = false;  // for encode()
  const ThreadPool* pool = nullptr;
  const char* prompt = nullptr;
  uint32_t document_tokens = 0;  // 0: the default
  uint32_t top_k = 0;            // 0: the default
};

struct Tokens {
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  std::vector<Span> offsets;  // begin == KINGLET_NO_OFFSET for the tokens that the template adds
  bool truncated = false;
};

struct Classification {
  std::vector<float> scores;  // one per label
  std::vector<float> logits;
  bool truncated = false;
};

// What one thread needs to run a model. Everything is allocated by create().
class Session {
 public:
  static Result<Session> create(const Model& model, const SessionOptions& options = {}) {
    kinglet_session_options c_options = KINGLET_SESSION_OPTIONS_INIT;
    c_options.threads = options.threads;
    c_options.max_length = options.max_length;
    c_options.batch = options.batch;
    c_options.offset_unit = options.offset_unit;
    c_options.raw_outputs = options.raw_outputs ? 1 : 0;
    c_options.pool = options.pool;
    c_options.prompt = options.prompt;
    c_options.document_tokens = options.document_tokens;
    c_options.top_k = options.top_k;
    kinglet_session* handle = nullptr;
    const kinglet_status status = kinglet_session_create(model.get(), &c_options, &handle);
    Session session(handle, model.info());
    if (status != KINGLET_OK) {
      return Error(status, handle != nullptr ? kinglet_session_message(handle) : kinglet_status_name(status));
    }
    return session;
  }

  Session(Session&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)), info_(other.info_) {}
  Session& operator=(Session&& other) noexcept {
    std::swap(handle_, other.handle_);
    std::swap(info_, other.info_);
    return *this;
  }
  ~Session() { kinglet_session_close(handle_); }

  // Makes the call in progress fail with KINGLET_CANCELLED soon. From any thread.
  void cancel() const noexcept { kinglet_session_cancel(handle_); }
  // Bytes allocated by create().
  size_t memory() const noexcept { return kinglet_session_memory(handle_); }

  // One text, pair or list of ids into tokens. max_length 0 cuts nothing.
  Result<Tokens> tokenize(const Input& input, uint32_t max_length = 0) {
    Tokens tokens;
    size_t capacity = (input.text_length + input.pair_length) / 2 + 16;
    for (;;) {
      tokens.ids.resize(capacity);
      tokens.type_ids.resize(capacity);
      tokens.offsets.resize(capacity);
      size_t count = 0;
      int truncated = 0;
      const kinglet_status status = kinglet_tokenize(handle_, &input, max_length, tokens.ids.data(),
                                                     tokens.type_ids.data(), tokens.offsets.data(), capacity, &count,
                                                     &truncated);
      if (status == KINGLET_TOO_LONG && count > capacity) {
        capacity = count;  // the second attempt fits
        continue;
      }
      if (status != KINGLET_OK) return fail(status);
      tokens.ids.resize(count);
      tokens.type_ids.resize(count);
      tokens.offsets.resize(count);
      tokens.truncated = truncated != 0;
      return tokens;
    }
  }
  Result<Tokens> tokenize(std::string_view text, uint32_t max_length = 0) {
    return tokenize(text_input(text), max_length);
  }

  // `count` × info().embedding_size floats, row by row; truncated[i] (may be null) is 1 where a text was cut.
  Result<void> embed(const Input* inputs, size_t count, float* embeddings, uint8_t* truncated = nullptr) {
    return check(kinglet_embed(handle_, inputs, count, embeddings, truncated));
  }
  Result<std::vector<float>> embed(std::string_view text) {
    std::vector<float> embedding(info_.embedding_size);
    const Input input = text_input(text);
    const kinglet_status status = kinglet_embed(handle_, &input, 1, embedding.data(), nullptr);
    if (status != KINGLET_OK) return fail(status);
    return embedding;
  }

  // `count` × info().label_count scores and, unless null, as many raw numbers.
  Result<void> classify(const Input* inputs, size_t count, float* scores, float* logits = nullptr,
                        uint8_t* truncated = nullptr) {
    return check(kinglet_classify(handle_, inputs, count, scores, logits, truncated));
  }
  Result<Classification> classify(const Input& input) {
    Classification result;
    result.scores.resize(info_.label_count);
    result.logits.resize(info_.label_count);
    uint8_t truncated = 0;
    const kinglet_status status =
        kinglet_classify(handle_, &input, 1, result.scores.data(), result.logits.data(), &truncated);
    if (status != KINGLET_OK) return fail(status);
    result.truncated = truncated != 0;
    return result;
  }
  Result<Classification> classify(std::string_view text) { return classify(text_input(text)); }

  // `count` scores of texts for a query, by a cross-encoder.
  Result<void> rerank(const Input& query, const Input* texts, size_t count, float* scores,
                      uint8_t* truncated = nullptr) {
    return check(kinglet_rerank(handle_, &query, texts, count, scores, truncated));
  }
  Result<std::vector<float>> rerank(std::string_view query, const std::vector<std::string_view>& texts) {
    std::vector<Input> inputs;
    for (const std::string_view text : texts) {
      inputs.push_back(text_input(text));
    }
    std::vector<float> scores(texts.size());
    const Input query_input = text_input(query);
    const kinglet_status status =
        kinglet_rerank(handle_, &query_input, inputs.data(), inputs.size(), scores.data(), nullptr);
    if (status != KINGLET_OK) return fail(status);
    return scores;
  }

  // Tags up to `batch` texts and keeps their entities; `options` may be null.
  Result<void> tag(const Input* inputs, size_t count, const TagOptions* options = nullptr,
                   uint8_t* truncated = nullptr) {
    return check(kinglet_tag(handle_, inputs, count, options, truncated));
  }
  // The entities of an input of the last tag().
  Result<View<Entity>> entities(size_t input) {
    View<Entity> view;
    const kinglet_status status = kinglet_session_entities(handle_, input, &view.data, &view.size);
    if (status != KINGLET_OK) return fail(status);
    return view;
  }
  Result<std::vector<Entity>> tag(std::string_view text,
                                  kinglet_aggregation aggregation = KINGLET_AGGREGATION_SIMPLE) {
    TagOptions options = KINGLET_TAG_OPTIONS_INIT;
    options.aggregation = aggregation;
    const Input input = text_input(text);
    if (const Result<void> result = tag(&input, 1, &options); !result) return result.error();
    return copy(entities(0));
  }

  // Answers up to `batch` questions (pair_input(question, context)) and keeps the answers; `options` may be null.
  Result<void> answer(const Input* inputs, size_t count, const AnswerOptions* options = nullptr) {
    return check(kinglet_answer(handle_, inputs, count, options));
  }
  // The answers to an input of the last answer(), the best first.
  Result<View<AnswerSpan>> answers(size_t input) {
    View<AnswerSpan> view;
    const kinglet_status status = kinglet_session_answers(handle_, input, &view.data, &view.size);
    if (status != KINGLET_OK) return fail(status);
    return view;
  }
  Result<std::vector<AnswerSpan>> answer(std::string_view question, std::string_view context,
                                         const AnswerOptions* options = nullptr) {
    const Input input = pair_input(question, context);
    if (const Result<void> result = answer(&input, 1, options); !result) return result.error();
    return copy(answers(0));
  }

  // Predicts the masked tokens of up to `batch` inputs, top_k (0: 5) for each, and keeps them.
  Result<void> fill_mask(const Input* inputs, size_t count, uint32_t top_k = 0, uint8_t* truncated = nullptr) {
    return check(kinglet_fill_mask(handle_, inputs, count, top_k, truncated));
  }
  // How many masks an input of the last fill_mask() has, and the predictions for one of them, the best first.
  Result<size_t> masks(size_t input) {
    size_t count = 0;
    const kinglet_status status = kinglet_session_masks(handle_, input, &count);
    if (status != KINGLET_OK) return fail(status);
    return count;
  }
  Result<View<Prediction>> predictions(size_t input, size_t mask) {
    View<Prediction> view;
    const kinglet_status status = kinglet_session_predictions(handle_, input, mask, &view.data, &view.size);
    if (status != KINGLET_OK) return fail(status);
    return view;
  }
  // Of one text: a list per mask.
  Result<std::vector<std::vector<Prediction>>> fill_mask(std::string_view text, uint32_t top_k = 0) {
    const Input input = text_input(text);
    if (const Result<void> result = fill_mask(&input, 1, top_k); !result) return result.error();
    const Result<size_t> count = masks(0);
    if (!count) return count.error();
    std::vector<std::vector<Prediction>> filled;
    for (size_t mask = 0; mask < *count; ++mask) {
      Result<std::vector<Prediction>> list = copy(predictions(0, mask));
      if (!list) return list.error();
      filled.push_back(*std::move(list));
    }
    return filled;
  }

  // Runs up to `batch` inputs on a session made with raw_outputs, and keeps their outputs until the next call.
  Result<void> encode(const Input* inputs, size_t count, uint8_t* truncated = nullptr) {
    return check(kinglet_encode(handle_, inputs, count, truncated));
  }
  // Raw output `output` of the given input of the last encode(); its data is the session's.
  Result<Output> output(size_t input, uint32_t output) {
    Output view{};
    const kinglet_status status = kinglet_session_output(handle_, input, output, &view);
    if (status != KINGLET_OK) return fail(status);
    return view;
  }

  // What the model said about itself when the session was made; its strings live as long as the session.
  const kinglet_model_info& info() const noexcept { return info_; }

  // The C handle, which stays this object's.
  kinglet_session* get() const noexcept { return handle_; }

 private:
  Session(kinglet_session* handle, const kinglet_model_info& info) : handle_(handle), info_(info) {}

  template <typename T>
  static Result<std::vector<T>> copy(const Result<View<T>>& view) {
    if (!view) return view.error();
    return std::vector<T>(view->begin(), view->end());
  }

  Error fail(kinglet_status status) const { return Error(status, kinglet_session_message(handle_)); }
  Result<void> check(kinglet_status status) const {
    if (status != KINGLET_OK) return fail(status);
    return {};
  }

  kinglet_session* handle_ = nullptr;
  kinglet_model_info info_{};
};

// The cosine of two vectors of `size` floats; 0 when either is all zeros.
inline float cosine(const float* a, const float* b, size_t size) { return kinglet_cosine(a, b, size); }
// Precondition: equal sizes; the shorter one counts otherwise.
inline float cosine(const std::vector<float>& a, const std::vector<float>& b) {
  return kinglet_cosine(a.data(), b.data(), a.size() < b.size() ? a.size() : b.size());
}

}  // namespace cpp
}  // namespace kinglet
