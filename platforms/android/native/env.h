// What the native functions share: exceptions, strings, and the inputs of a call copied out of Java once.
#pragma once

#include <jni.h>

#include "kinglet.h"
#include "memory.h"

namespace kinglet::jni {

static_assert(sizeof(jint) == sizeof(int32_t) && sizeof(jchar) == sizeof(uint16_t) && sizeof(jfloat) == sizeof(float));

// Finds the classes of the library; false leaves an exception behind.
bool load_classes(JNIEnv* env);

// Throws a KingletException; `message` is UTF-8, or null for the status's name.
void throw_status(JNIEnv* env, kinglet_status status, const char* message);
void throw_no_memory(JNIEnv* env);

jclass string_class();
jclass object_class();

// Java strings of UTF-8; null with an exception behind. Ill-formed bytes become U+FFFD.
jstring new_string(JNIEnv* env, const char* text, size_t size);
jstring new_string(JNIEnv* env, const char* text);

// What a token says by itself.
jstring token_text(JNIEnv* env, const kinglet_model* model, int32_t id);

// Appends a string as UTF-8, by pieces: no second copy, and the garbage collector is not held up. False when there is
// no memory; nothing is thrown then.
bool append_utf8(JNIEnv* env, jstring text, Array<char>& out);

// Java arrays filled once; null with an exception behind.
jintArray new_ints(JNIEnv* env, const int32_t* values, size_t count);
jfloatArray new_floats(JNIEnv* env, const float* values, size_t count);

// The inputs of a call: texts with or without a second text, or ids. Any of the arrays but one may be null, and so may
// their elements.
class Inputs {
 public:
  // False with an exception behind.
  bool read(JNIEnv* env, jobjectArray texts, jobjectArray pairs, jobjectArray ids, jobjectArray type_ids);
  bool read_text(JNIEnv* env, jstring text, jstring pair);

  const kinglet_input* data() { return items_.data(); }
  size_t size() { return items_.size(); }
  void trim() {
    text_.trim();
    numbers_.trim();
    items_.trim();
  }

 private:
  bool add_text(JNIEnv* env, jstring text, const char** out, size_t* size);
  bool add_numbers(JNIEnv* env, jintArray values, const int32_t** out, size_t* size);
  void place();

  Array<char> text_;
  Array<int32_t> numbers_;
  Array<kinglet_input> items_;
};

}  // namespace kinglet::jni
