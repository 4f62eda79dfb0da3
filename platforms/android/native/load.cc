// The only name that the library exports: it registers everything else, so that the linker may drop and the app's
// shrinker may keep as little as possible.
#include "env.h"
#include "natives.h"

extern "C" JNIEXPORT jint JNICALL JNI_OnLoad(JavaVM* machine, void*) {
  JNIEnv* env = nullptr;
  if (machine->GetEnv(reinterpret_cast<void**>(&env), JNI_VERSION_1_6) != JNI_OK || !kinglet::jni::load_classes(env)) {
    return JNI_ERR;
  }
  const jclass native = env->FindClass("org/kinglet/Native");
  if (native == nullptr ||
      env->RegisterNatives(native, kinglet::jni::model_methods, kinglet::jni::kModelMethods) != JNI_OK ||
      env->RegisterNatives(native, kinglet::jni::session_methods, kinglet::jni::kSessionMethods) != JNI_OK) {
    return JNI_ERR;
  }
  return JNI_VERSION_1_6;
}
