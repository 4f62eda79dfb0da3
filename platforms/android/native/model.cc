// Native methods on models.
#include "env.h"
#include "natives.h"

namespace kinglet::jni {
namespace {

kinglet_model* model_of(jlong handle) {
  return reinterpret_cast<kinglet_model*>(handle);
}

// The handle of a model that is open, or 0 with an exception behind.
jlong opened(JNIEnv* env, kinglet_status status, kinglet_model* model) {
  if (status == KINGLET_OK) {
    return reinterpret_cast<jlong>(model);
  }
  throw_status(env, status, kinglet_model_message(model));
  kinglet_model_close(model);
  return 0;
}

jstring version(JNIEnv* env, jclass) {
  return new_string(env, kinglet_version());
}

jstring isa(JNIEnv* env, jclass) {
  const char* name = kinglet_isa();
  return name != nullptr ? new_string(env, name) : nullptr;
}

jlong open_path(JNIEnv* env, jclass, jstring path) {
  Array<char> name;
  if (!append_utf8(env, path, name) || !name.push(0)) {
    throw_no_memory(env);
    return 0;
  }
  kinglet_model* model = nullptr;
  const kinglet_status status = kinglet_model_open_path(name.data(), &model);
  return opened(env, status, model);
}

jlong open_fd(JNIEnv* env, jclass, jint fd, jlong offset, jlong length) {
  kinglet_model* model = nullptr;
  const kinglet_status status =
      kinglet_model_open_fd(fd, static_cast<uint64_t>(offset), static_cast<uint64_t>(length), &model);
  return opened(env, status, model);
}

jlong open_memory(JNIEnv* env, jclass, jobject buffer) {
  const void* data = env->GetDirectBufferAddress(buffer);
  const jlong size = env->GetDirectBufferCapacity(buffer);
  if (data == nullptr || size < 0) {
    throw_status(env, KINGLET_INVALID_ARGUMENT, "buffer: expected a direct one");
    return 0;
  }
  kinglet_model* model = nullptr;
  const kinglet_status status = kinglet_model_open_memory(data, static_cast<size_t>(size), &model);
  return opened(env, status, model);
}

void close_model(JNIEnv*, jclass, jlong handle) {
  kinglet_model_close(model_of(handle));
}

jobjectArray names(JNIEnv* env, const kinglet_model* model, uint32_t count,
                   const char* (*name)(const kinglet_model*, uint32_t)) {
  const jobjectArray array = env->NewObjectArray(static_cast<jsize>(count), string_class(), nullptr);
  for (uint32_t i = 0; array != nullptr && i < count; ++i) {
    const char* text = name(model, i);
    const jstring string = text != nullptr ? new_string(env, text) : nullptr;
    if (env->ExceptionCheck()) {
      return nullptr;
    }
    env->SetObjectArrayElement(array, static_cast<jsize>(i), string);
    env->DeleteLocalRef(string);
  }
  return array;
}

// {int[] numbers, String architecture, String precision, String[] labels, String[] outputs, String[] prompts}
jobjectArray model_info(JNIEnv* env, jclass, jlong handle) {
  const kinglet_model* model = model_of(handle);
  kinglet_model_info info = {};
  info.struct_size = sizeof(info);
  if (const kinglet_status status = kinglet_model_get_info(model, &info); status != KINGLET_OK) {
    throw_status(env, status, kinglet_model_message(model));
    return nullptr;
  }
  const int32_t numbers[] = {static_cast<int32_t>(info.task),           static_cast<int32_t>(info.scoring),
                             static_cast<int32_t>(info.max_length),     static_cast<int32_t>(info.vocabulary),
                             static_cast<int32_t>(info.type_count),     static_cast<int32_t>(info.label_count),
                             static_cast<int32_t>(info.embedding_size), info.has_tokenizer};
  const jobjectArray facts = env->NewObjectArray(6, object_class(), nullptr);
  if (facts == nullptr) {
    return nullptr;
  }
  for (int i = 0; i < 6 && !env->ExceptionCheck(); ++i) {
    jobject fact = nullptr;
    switch (i) {
      case 0:
        fact = new_ints(env, numbers, sizeof(numbers) / sizeof(*numbers));
        break;
      case 1:
        fact = new_string(env, info.architecture);
        break;
      case 2:
        fact = new_string(env, info.precision);
        break;
      case 3:
        fact = names(env, model, info.label_count, kinglet_model_label);
        break;
      case 4:
        fact = names(env, model, info.output_count, kinglet_model_output_name);
        break;
      default:
        fact = names(env, model, info.prompt_count, kinglet_model_prompt_name);
        break;
    }
    if (!env->ExceptionCheck()) {
      env->SetObjectArrayElement(facts, i, fact);
    }
  }
  return facts;
}

jstring token(JNIEnv* env, jclass, jlong handle, jint id) {
  size_t length = 0;
  const char* text = kinglet_model_token(model_of(handle), id, &length);
  return text != nullptr ? new_string(env, text, length) : nullptr;
}

jstring model_token_text(JNIEnv* env, jclass, jlong handle, jint id) {
  return token_text(env, model_of(handle), id);
}

void self_test(JNIEnv* env, jclass, jlong handle) {
  if (const kinglet_status status = kinglet_model_self_test(model_of(handle)); status != KINGLET_OK) {
    throw_status(env, status, kinglet_model_message(model_of(handle)));
  }
}

}  // namespace

const JNINativeMethod model_methods[kModelMethods] = {
    method("version", "()Ljava/lang/String;", version),
    method("isa", "()Ljava/lang/String;", isa),
    method("openPath", "(Ljava/lang/String;)J", open_path),
    method("openFd", "(IJJ)J", open_fd),
    method("openMemory", "(Ljava/nio/ByteBuffer;)J", open_memory),
    method("closeModel", "(J)V", close_model),
    method("modelInfo", "(J)[Ljava/lang/Object;", model_info),
    method("token", "(JI)Ljava/lang/String;", token),
    method("tokenText", "(JI)Ljava/lang/String;", model_token_text),
    method("selfTest", "(J)V", self_test),
};

}  // namespace kinglet::jni
