// The native methods of org.kinglet.Native, by the Java file that calls them. A model or session is a pointer in a
// jlong; Kotlin sees to it that no call uses a closed one and that a session has one call at a time.
#pragma once

#include <jni.h>

namespace kinglet::jni {

template <typename Function>
JNINativeMethod method(const char* name, const char* signature, Function* function) {
  return {const_cast<char*>(name), const_cast<char*>(signature), reinterpret_cast<void*>(function)};
}

inline constexpr int kModelMethods = 10, kSessionMethods = 15;
extern const JNINativeMethod model_methods[kModelMethods];
extern const JNINativeMethod session_methods[kSessionMethods];

}  // namespace kinglet::jni
