// Native methods on sessions: one crossing per call. Numbers of several kinds come back in one int array, floats in it
// by their bits; Kotlin makes data classes of them.
#include <string.h>

#include <new>

#include "env.h"
#include "natives.h"

namespace kinglet::jni {
namespace {

struct Session {
  kinglet_session* handle = nullptr;
  kinglet_model* model = nullptr;  // alive as long as the session is
  kinglet_model_info info = {};
  Inputs inputs;
  Array<float> numbers;
  Array<int32_t> packed;
  Array<uint8_t> truncated;

  ~Session() { kinglet_session_close(handle); }
  void trim() {
    inputs.trim();
    numbers.trim();
    packed.trim();
    truncated.trim();
  }
};

Session& session_of(jlong handle) {
  return *reinterpret_cast<Session*>(handle);
}

bool check(JNIEnv* env, const Session& session, kinglet_status status) {
  if (status != KINGLET_OK) {
    throw_status(env, status, kinglet_session_message(session.handle));
  }
  return status == KINGLET_OK;
}

// Leaves a session as the next call wants it, and gives back what a huge call took.
struct Call {
  Session& session;
  explicit Call(jlong handle) : session(session_of(handle)) {}
  ~Call() { session.trim(); }
};

int32_t bits(float number) {
  int32_t word;
  memcpy(&word, &number, sizeof(word));
  return word;
}

jlong create_session(JNIEnv* env, jclass, jlong model, jint threads, jint max_length, jint batch, jboolean raw_outputs,
                     jstring prompt, jint document_tokens, jint top_k) {
  Array<char> name;
  if (prompt != nullptr && (!append_utf8(env, prompt, name) || !name.push(0))) {
    throw_no_memory(env);
    return 0;
  }
  auto* memory = static_cast<Session*>(malloc(sizeof(Session)));
  if (memory == nullptr) {
    throw_no_memory(env);
    return 0;
  }
  auto* session = new (memory) Session;
  session->model = reinterpret_cast<kinglet_model*>(model);
  session->info.struct_size = sizeof(session->info);
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.threads = static_cast<uint32_t>(threads);
  options.max_length = static_cast<uint32_t>(max_length);
  options.batch = static_cast<uint32_t>(batch);
  options.raw_outputs = raw_outputs ? 1 : 0;
  options.offset_unit = KINGLET_OFFSETS_UTF16;
  options.prompt = prompt != nullptr ? name.data() : nullptr;
  options.document_tokens = static_cast<uint32_t>(document_tokens);
  options.top_k = static_cast<uint32_t>(top_k);
  const kinglet_status status = kinglet_session_create(session->model, &options, &session->handle);
  if (check(env, *session, status) && check(env, *session, kinglet_model_get_info(session->model, &session->info))) {
    return reinterpret_cast<jlong>(session);
  }
  session->~Session();
  free(memory);
  return 0;
}

void close_session(JNIEnv*, jclass, jlong handle) {
  Session& session = session_of(handle);
  session.~Session();
  free(&session);
}

void cancel(JNIEnv*, jclass, jlong handle) {
  kinglet_session_cancel(session_of(handle).handle);
}

jlong session_memory(JNIEnv*, jclass, jlong handle) {
  return static_cast<jlong>(kinglet_session_memory(session_of(handle).handle));
}

jstring session_token_text(JNIEnv* env, jclass, jlong handle, jint id) {
  return token_text(env, session_of(handle).model, id);
}

// {int[] {count, truncated, ids, type ids, begin and end of each}, String[] tokens}
jobjectArray tokenize(JNIEnv* env, jclass, jlong handle, jstring text, jstring pair, jint max_length) {
  Call call(handle);
  Session& session = call.session;
  if (!session.inputs.read_text(env, text, pair)) {
    return nullptr;
  }
  const kinglet_input& input = *session.inputs.data();
  size_t capacity = (input.text_length + input.pair_length) / 2 + 16, count = 0;
  int truncated = 0;
  for (;;) {
    if (!session.packed.resize(2 + 4 * capacity)) {
      throw_no_memory(env);
      return nullptr;
    }
    int32_t* ids = session.packed.data() + 2;
    auto* spans = reinterpret_cast<kinglet_span*>(ids + 2 * capacity);
    const kinglet_status status = kinglet_tokenize(session.handle, &input, static_cast<uint32_t>(max_length), ids,
                                                   ids + capacity, spans, capacity, &count, &truncated);
    if (status == KINGLET_TOO_LONG && count > capacity) {
      capacity = count;
      continue;
    }
    if (!check(env, session, status)) {
      return nullptr;
    }
    // Only what is used goes to Java.
    memmove(ids + count, ids + capacity, count * sizeof(*ids));
    memmove(ids + 2 * count, spans, count * sizeof(*spans));
    break;
  }
  session.packed[0] = static_cast<int32_t>(count);
  session.packed[1] = truncated;
  const jintArray numbers = new_ints(env, session.packed.data(), 2 + 4 * count);
  const jobjectArray tokens =
      numbers != nullptr ? env->NewObjectArray(static_cast<jsize>(count), string_class(), nullptr) : nullptr;
  const jobjectArray result = tokens != nullptr ? env->NewObjectArray(2, object_class(), nullptr) : nullptr;
  if (result == nullptr) {
    return nullptr;
  }
  for (size_t i = 0; i < count; ++i) {
    size_t length = 0;
    const char* token = kinglet_model_token(session.model, session.packed[2 + i], &length);
    const jstring string = new_string(env, token != nullptr ? token : "", length);
    if (string == nullptr) {
      return nullptr;
    }
    env->SetObjectArrayElement(tokens, static_cast<jsize>(i), string);
    env->DeleteLocalRef(string);
  }
  env->SetObjectArrayElement(result, 0, numbers);
  env->SetObjectArrayElement(result, 1, tokens);
  return result;
}

jfloatArray embed(JNIEnv* env, jclass, jlong handle, jobjectArray texts, jobjectArray pairs, jobjectArray ids,
                  jobjectArray type_ids) {
  Call call(handle);
  Session& session = call.session;
  if (!session.inputs.read(env, texts, pairs, ids, type_ids)) {
    return nullptr;
  }
  const size_t count = session.inputs.size(), size = session.info.embedding_size;
  if (!session.numbers.resize(count * size) || !session.numbers.reserve(1)) {
    throw_no_memory(env);
    return nullptr;
  }
  if (!check(env, session,
             kinglet_embed(session.handle, session.inputs.data(), count, session.numbers.data(), nullptr))) {
    return nullptr;
  }
  return new_floats(env, session.numbers.data(), count * size);
}

// Writes straight into a direct buffer, from `offset` floats on.
void embed_into(JNIEnv* env, jclass, jlong handle, jobjectArray texts, jobjectArray pairs, jobjectArray ids,
                jobjectArray type_ids, jobject buffer, jint offset) {
  Call call(handle);
  Session& session = call.session;
  auto* out = static_cast<float*>(env->GetDirectBufferAddress(buffer));
  if (out == nullptr) {
    throw_status(env, KINGLET_INVALID_ARGUMENT, "buffer: expected a direct one");
    return;
  }
  if (session.inputs.read(env, texts, pairs, ids, type_ids)) {
    check(env, session,
          kinglet_embed(session.handle, session.inputs.data(), session.inputs.size(), out + offset, nullptr));
  }
}

jfloat similarity(JNIEnv* env, jclass, jlong handle, jobjectArray texts) {
  Call call(handle);
  Session& session = call.session;
  const size_t size = session.info.embedding_size;
  if (!session.inputs.read(env, texts, nullptr, nullptr, nullptr)) {
    return 0;
  }
  if (!session.numbers.resize(2 * size) || !session.numbers.reserve(1)) {
    throw_no_memory(env);
    return 0;
  }
  float* embeddings = session.numbers.data();
  return check(env, session, kinglet_embed(session.handle, session.inputs.data(), 2, embeddings, nullptr))
             ? kinglet_cosine(embeddings, embeddings + size, size)
             : 0;
}

// Per input: label_count scores, as many raw numbers, and 1 if it was cut.
jfloatArray classify(JNIEnv* env, jclass, jlong handle, jobjectArray texts, jobjectArray pairs, jobjectArray ids,
                     jobjectArray type_ids) {
  Call call(handle);
  Session& session = call.session;
  if (!session.inputs.read(env, texts, pairs, ids, type_ids)) {
    return nullptr;
  }
  const size_t count = session.inputs.size(), labels = session.info.label_count, row = 2 * labels + 1;
  // The C API writes scores and raw numbers apart; they are put together behind them.
  if (!session.numbers.resize(count * (2 * labels + row)) || !session.numbers.reserve(1) ||
      !session.truncated.resize(count)) {
    throw_no_memory(env);
    return nullptr;
  }
  float* scores = session.numbers.data();
  float* logits = scores + count * labels;
  if (!check(
          env, session,
          kinglet_classify(session.handle, session.inputs.data(), count, scores, logits, session.truncated.data()))) {
    return nullptr;
  }
  float* rows = logits + count * labels;
  for (size_t i = 0; i < count; ++i, rows += row) {
    memcpy(rows, scores + i * labels, labels * sizeof(float));
    memcpy(rows + labels, logits + i * labels, labels * sizeof(float));
    rows[2 * labels] = session.truncated[i];
  }
  return new_floats(env, logits + count * labels, count * row);
}

// The query is the first text. Scores of the others.
jfloatArray rerank(JNIEnv* env, jclass, jlong handle, jobjectArray texts) {
  Call call(handle);
  Session& session = call.session;
  if (!session.inputs.read(env, texts, nullptr, nullptr, nullptr)) {
    return nullptr;
  }
  const size_t count = session.inputs.size() - 1;
  if (!session.numbers.resize(count) || !session.numbers.reserve(1)) {
    throw_no_memory(env);
    return nullptr;
  }
  const kinglet_input* inputs = session.inputs.data();
  return check(env, session, kinglet_rerank(session.handle, inputs, inputs + 1, count, session.numbers.data(), nullptr))
             ? new_floats(env, session.numbers.data(), count)
             : nullptr;
}

jintArray packed(JNIEnv* env, Session& session, bool good) {
  if (!good) {
    throw_no_memory(env);
    return nullptr;
  }
  return new_ints(env, session.packed.data(), session.packed.size());
}

// Per input: how many entities, and of each: begin, end, label index, score.
jintArray tag(JNIEnv* env, jclass, jlong handle, jobjectArray texts, jint aggregation, jboolean windows, jint stride) {
  Call call(handle);
  Session& session = call.session;
  kinglet_tag_options options = KINGLET_TAG_OPTIONS_INIT;
  options.aggregation = static_cast<kinglet_aggregation>(aggregation);
  options.windows = windows ? 1 : 0;
  options.stride = static_cast<uint32_t>(stride);
  if (!session.inputs.read(env, texts, nullptr, nullptr, nullptr) ||
      !check(env, session,
             kinglet_tag(session.handle, session.inputs.data(), session.inputs.size(), &options, nullptr))) {
    return nullptr;
  }
  Array<int32_t>& out = session.packed;
  bool good = true;
  for (size_t i = 0; good && i < session.inputs.size(); ++i) {
    const kinglet_entity* entities = nullptr;
    size_t count = 0;
    if (!check(env, session, kinglet_session_entities(session.handle, i, &entities, &count))) {
      return nullptr;
    }
    good = out.push(static_cast<int32_t>(count));
    for (size_t j = 0; good && j < count; ++j) {
      const kinglet_entity& entity = entities[j];
      good = out.push(static_cast<int32_t>(entity.span.begin)) && out.push(static_cast<int32_t>(entity.span.end)) &&
             out.push(static_cast<int32_t>(entity.label_index)) && out.push(bits(entity.score));
    }
  }
  return packed(env, session, good);
}

// Of each answer: begin, end, score.
jintArray answer(JNIEnv* env, jclass, jlong handle, jstring question, jstring context, jint top_k,
                 jint max_answer_tokens, jint max_length, jint stride, jboolean no_answer) {
  Call call(handle);
  Session& session = call.session;
  kinglet_answer_options options = KINGLET_ANSWER_OPTIONS_INIT;
  options.top_k = static_cast<uint32_t>(top_k);
  options.max_answer_tokens = static_cast<uint32_t>(max_answer_tokens);
  options.max_length = static_cast<uint32_t>(max_length);
  options.stride = static_cast<uint32_t>(stride);
  options.no_answer = no_answer ? 1 : 0;
  const kinglet_answer_span* answers = nullptr;
  size_t count = 0;
  if (!session.inputs.read_text(env, question, context) ||
      !check(env, session, kinglet_answer(session.handle, session.inputs.data(), 1, &options)) ||
      !check(env, session, kinglet_session_answers(session.handle, 0, &answers, &count))) {
    return nullptr;
  }
  bool good = true;
  for (size_t i = 0; good && i < count; ++i) {
    good = session.packed.push(static_cast<int32_t>(answers[i].span.begin)) &&
           session.packed.push(static_cast<int32_t>(answers[i].span.end)) &&
           session.packed.push(bits(answers[i].score));
  }
  return packed(env, session, good);
}

// Per input: how many masks; per mask: how many predictions, and of each: id, score.
jintArray fill_mask(JNIEnv* env, jclass, jlong handle, jobjectArray texts, jobjectArray pairs, jobjectArray ids,
                    jobjectArray type_ids, jint top_k) {
  Call call(handle);
  Session& session = call.session;
  if (!session.inputs.read(env, texts, pairs, ids, type_ids) ||
      !check(env, session,
             kinglet_fill_mask(session.handle, session.inputs.data(), session.inputs.size(),
                               static_cast<uint32_t>(top_k), nullptr))) {
    return nullptr;
  }
  Array<int32_t>& out = session.packed;
  bool good = true;
  for (size_t i = 0; good && i < session.inputs.size(); ++i) {
    size_t masks = 0;
    if (!check(env, session, kinglet_session_masks(session.handle, i, &masks))) {
      return nullptr;
    }
    good = out.push(static_cast<int32_t>(masks));
    for (size_t mask = 0; good && mask < masks; ++mask) {
      const kinglet_prediction* predictions = nullptr;
      size_t count = 0;
      if (!check(env, session, kinglet_session_predictions(session.handle, i, mask, &predictions, &count))) {
        return nullptr;
      }
      good = out.push(static_cast<int32_t>(count));
      for (size_t j = 0; good && j < count; ++j) {
        good = out.push(predictions[j].id) && out.push(bits(predictions[j].score));
      }
    }
  }
  return packed(env, session, good);
}

// {int[] {rank, shape[0], shape[1]} of every output, float[] of every output}, of one input
jobjectArray encode(JNIEnv* env, jclass, jlong handle, jobjectArray texts, jobjectArray pairs, jobjectArray ids,
                    jobjectArray type_ids) {
  Call call(handle);
  Session& session = call.session;
  if (!session.inputs.read(env, texts, pairs, ids, type_ids) ||
      !check(env, session, kinglet_encode(session.handle, session.inputs.data(), session.inputs.size(), nullptr))) {
    return nullptr;
  }
  const uint32_t outputs = session.info.output_count;
  const jobjectArray result = env->NewObjectArray(static_cast<jsize>(outputs) + 1, object_class(), nullptr);
  bool good = true;
  for (uint32_t o = 0; result != nullptr && good && o < outputs; ++o) {
    kinglet_output view = {};
    if (!check(env, session, kinglet_session_output(session.handle, 0, o, &view))) {
      return nullptr;
    }
    const uint32_t columns = view.rank > 1 ? view.shape[1] : 1;
    good = session.packed.push(static_cast<int32_t>(view.rank)) &&
           session.packed.push(static_cast<int32_t>(view.shape[0])) &&
           session.packed.push(static_cast<int32_t>(columns));
    const jfloatArray data = new_floats(env, view.data, size_t{view.shape[0]} * columns);
    if (data == nullptr) {
      return nullptr;
    }
    env->SetObjectArrayElement(result, static_cast<jsize>(o) + 1, data);
    env->DeleteLocalRef(data);
  }
  const jintArray shapes = result != nullptr ? packed(env, session, good) : nullptr;
  if (shapes == nullptr) {
    return nullptr;
  }
  env->SetObjectArrayElement(result, 0, shapes);
  return result;
}

#define STRINGS "[Ljava/lang/String;"
#define INPUTS STRINGS STRINGS "[[I[[I"

}  // namespace

const JNINativeMethod session_methods[kSessionMethods] = {
    method("createSession", "(JIIIZLjava/lang/String;II)J", create_session),
    method("closeSession", "(J)V", close_session),
    method("cancel", "(J)V", cancel),
    method("sessionTokenText", "(JI)Ljava/lang/String;", session_token_text),
    method("sessionMemory", "(J)J", session_memory),
    method("tokenize", "(JLjava/lang/String;Ljava/lang/String;I)[Ljava/lang/Object;", tokenize),
    method("embed", "(J" INPUTS ")[F", embed),
    method("embedInto", "(J" INPUTS "Ljava/nio/FloatBuffer;I)V", embed_into),
    method("similarity", "(J" STRINGS ")F", similarity),
    method("classify", "(J" INPUTS ")[F", classify),
    method("rerank", "(J" STRINGS ")[F", rerank),
    method("tag", "(J" STRINGS "IZI)[I", tag),
    method("answer", "(JLjava/lang/String;Ljava/lang/String;IIIIZ)[I", answer),
    method("fillMask", "(J" INPUTS "I)[I", fill_mask),
    method("encode", "(J" INPUTS ")[Ljava/lang/Object;", encode),
};

}  // namespace kinglet::jni
