// Exceptions, strings, arrays and inputs between Java and kinglet.h.
#include "env.h"

#include <string.h>

#include <initializer_list>

#include "text.h"

namespace kinglet::jni {
namespace {

jclass exception_class, no_memory_class, strings_class, objects_class;
jmethodID exception_constructor;

jclass find_class(JNIEnv* env, const char* name) {
  const jclass local = env->FindClass(name);
  if (local == nullptr) {
    return nullptr;
  }
  const auto global = static_cast<jclass>(env->NewGlobalRef(local));
  env->DeleteLocalRef(local);
  return global;
}

// What stands for "there is one" until `place` knows where it lies.
constexpr char kSomeText[] = "";
constexpr int32_t kSomeNumber = 0;

}  // namespace

bool load_classes(JNIEnv* env) {
  exception_class = find_class(env, "org/kinglet/KingletException");
  no_memory_class = find_class(env, "java/lang/OutOfMemoryError");
  strings_class = find_class(env, "java/lang/String");
  objects_class = find_class(env, "java/lang/Object");
  if (exception_class == nullptr || no_memory_class == nullptr || strings_class == nullptr ||
      objects_class == nullptr) {
    return false;
  }
  exception_constructor = env->GetMethodID(exception_class, "<init>", "(ILjava/lang/String;)V");
  return exception_constructor != nullptr;
}

jclass string_class() {
  return strings_class;
}
jclass object_class() {
  return objects_class;
}

void throw_no_memory(JNIEnv* env) {
  throw_status(env, KINGLET_OUT_OF_MEMORY, "no memory for the texts or results of a call");
}

void throw_status(JNIEnv* env, kinglet_status status, const char* message) {
  if (env->ExceptionCheck()) {
    return;
  }
  const jstring text = new_string(env, message != nullptr && *message != 0 ? message : kinglet_status_name(status));
  if (text == nullptr) {
    return;
  }
  const jobject exception = env->NewObject(exception_class, exception_constructor, static_cast<jint>(status), text);
  if (exception != nullptr) {
    env->Throw(static_cast<jthrowable>(exception));
  }
}

jstring new_string(JNIEnv* env, const char* text, size_t size) {
  constexpr size_t kSmall = 256;
  jchar small[kSmall];
  if (size <= kSmall) {
    return env->NewString(small, static_cast<jsize>(utf8_to_utf16(text, size, small)));
  }
  Array<jchar> units;
  if (size > INT32_MAX || !units.resize(size)) {
    env->ThrowNew(no_memory_class, "kinglet: no memory for a string");
    return nullptr;
  }
  const size_t count = utf8_to_utf16(text, size, units.data());
  return env->NewString(units.data(), static_cast<jsize>(count));
}

jstring new_string(JNIEnv* env, const char* text) {
  return new_string(env, text, strlen(text));
}

jstring token_text(JNIEnv* env, const kinglet_model* model, int32_t id) {
  constexpr size_t kSmall = 256;
  char small[kSmall];
  const size_t length = kinglet_model_token_text(model, id, small, kSmall);
  if (length <= kSmall) {
    return new_string(env, small, length);
  }
  Array<char> text;
  if (!text.resize(length)) {
    throw_no_memory(env);
    return nullptr;
  }
  return new_string(env, text.data(), kinglet_model_token_text(model, id, text.data(), length));
}

bool append_utf8(JNIEnv* env, jstring text, Array<char>& out) {
  constexpr jsize kPiece = 1024;
  jchar piece[kPiece];
  const jsize length = env->GetStringLength(text);
  Utf8Writer writer;
  for (jsize begin = 0; begin < length; begin += kPiece) {
    const jsize count = length - begin < kPiece ? length - begin : kPiece;
    if (!out.reserve(Utf8Writer::most(static_cast<size_t>(count)))) {
      return false;
    }
    env->GetStringRegion(text, begin, count, piece);
    out.added(writer.write(piece, static_cast<size_t>(count), out.data() + out.size()));
  }
  if (!out.reserve(Utf8Writer::most(0))) {
    return false;
  }
  out.added(writer.finish(out.data() + out.size()));
  return true;
}

jintArray new_ints(JNIEnv* env, const int32_t* values, size_t count) {
  if (count > INT32_MAX) {
    throw_no_memory(env);
    return nullptr;
  }
  const jintArray array = env->NewIntArray(static_cast<jsize>(count));
  if (array != nullptr) {
    env->SetIntArrayRegion(array, 0, static_cast<jsize>(count), values);
  }
  return array;
}

jfloatArray new_floats(JNIEnv* env, const float* values, size_t count) {
  if (count > INT32_MAX) {
    throw_no_memory(env);
    return nullptr;
  }
  const jfloatArray array = env->NewFloatArray(static_cast<jsize>(count));
  if (array != nullptr) {
    env->SetFloatArrayRegion(array, 0, static_cast<jsize>(count), values);
  }
  return array;
}

bool Inputs::add_text(JNIEnv* env, jstring text, const char** out, size_t* size) {
  if (text == nullptr) {
    return true;
  }
  const size_t before = text_.size();
  if (!append_utf8(env, text, text_)) {
    throw_no_memory(env);
    return false;
  }
  *out = kSomeText;
  *size = text_.size() - before;
  return true;
}

bool Inputs::add_numbers(JNIEnv* env, jintArray values, const int32_t** out, size_t* size) {
  if (values == nullptr) {
    return true;
  }
  const size_t count = static_cast<size_t>(env->GetArrayLength(values)), before = numbers_.size();
  if (!numbers_.resize(before + count)) {
    throw_no_memory(env);
    return false;
  }
  env->GetIntArrayRegion(values, 0, static_cast<jsize>(count), numbers_.data() + before);
  *out = &kSomeNumber;
  *size = count;
  return true;
}

// All texts lie end to end, and so do all numbers: now that neither moves any more, the inputs get their addresses.
void Inputs::place() {
  const char* text = text_.data() != nullptr ? text_.data() : kSomeText;
  const int32_t* numbers = numbers_.data() != nullptr ? numbers_.data() : &kSomeNumber;
  for (size_t i = 0; i < items_.size(); ++i) {
    kinglet_input& item = items_[i];
    if (item.text != nullptr) {
      item.text = text;
      text += item.text_length;
    }
    if (item.pair != nullptr) {
      item.pair = text;
      text += item.pair_length;
    }
    if (item.ids != nullptr) {
      item.ids = numbers;
      numbers += item.id_count;
    }
    if (item.type_ids != nullptr) {
      item.type_ids = numbers;
      numbers += item.id_count;
    }
  }
}

bool Inputs::read_text(JNIEnv* env, jstring text, jstring pair) {
  trim();
  kinglet_input item = {};
  if (!add_text(env, text, &item.text, &item.text_length) || !add_text(env, pair, &item.pair, &item.pair_length)) {
    return false;
  }
  if (!items_.push(item)) {
    throw_no_memory(env);
    return false;
  }
  place();
  return true;
}

bool Inputs::read(JNIEnv* env, jobjectArray texts, jobjectArray pairs, jobjectArray ids, jobjectArray type_ids) {
  trim();
  const jsize count = env->GetArrayLength(texts != nullptr ? texts : ids);
  const auto element = [env](jobjectArray array, jsize i) {
    return array != nullptr ? env->GetObjectArrayElement(array, i) : nullptr;
  };
  for (jsize i = 0; i < count; ++i) {
    kinglet_input item = {};
    size_t type_count = 0;
    const jobject text = element(texts, i), pair = element(pairs, i), own = element(ids, i),
                  types = element(type_ids, i);
    const bool good = add_text(env, static_cast<jstring>(text), &item.text, &item.text_length) &&
                      add_text(env, static_cast<jstring>(pair), &item.pair, &item.pair_length) &&
                      add_numbers(env, static_cast<jintArray>(own), &item.ids, &item.id_count) &&
                      add_numbers(env, static_cast<jintArray>(types), &item.type_ids, &type_count);
    for (const jobject reference : {text, pair, own, types}) {
      if (reference != nullptr) {
        env->DeleteLocalRef(reference);
      }
    }
    if (!good) {
      return false;
    }
    if (types != nullptr && type_count != item.id_count) {
      throw_status(env, KINGLET_INVALID_ARGUMENT, "type ids: expected as many as ids");
      return false;
    }
    if (!items_.push(item)) {
      throw_no_memory(env);
      return false;
    }
  }
  place();
  return true;
}

}  // namespace kinglet::jni
