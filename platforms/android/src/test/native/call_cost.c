/* The same call as KingletSession.embed, from C and timed there: what CallCost.kt compares with. */
#include <jni.h>
#include <string.h>
#include <time.h>

#include "kinglet.h"

static kinglet_model* model;
static kinglet_session* session;
static float embedding[4096];

static jlong nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (jlong)now.tv_sec * 1000000000 + now.tv_nsec;
}

JNIEXPORT jboolean JNICALL Java_org_kinglet_CallCost_open(JNIEnv* env, jobject self, jstring path) {
  (void)self;
  const char* name = (*env)->GetStringUTFChars(env, path, NULL);
  kinglet_model_info info = {0};
  info.struct_size = sizeof info;
  const jboolean good = kinglet_model_open_path(name, &model) == KINGLET_OK &&
                        kinglet_session_create(model, NULL, &session) == KINGLET_OK &&
                        kinglet_model_get_info(model, &info) == KINGLET_OK &&
                        info.embedding_size <= sizeof embedding / sizeof *embedding;
  (*env)->ReleaseStringUTFChars(env, path, name);
  return good;
}

/* Nanoseconds of one call; -1: it failed. */
JNIEXPORT jlong JNICALL Java_org_kinglet_CallCost_embed(JNIEnv* env, jobject self, jobject text) {
  (void)self;
  kinglet_input input = {0};
  input.text = (*env)->GetDirectBufferAddress(env, text);
  input.text_length = (size_t)(*env)->GetDirectBufferCapacity(env, text);
  const jlong begin = nanoseconds();
  const kinglet_status status = kinglet_embed(session, &input, 1, embedding, NULL);
  const jlong end = nanoseconds();
  return status == KINGLET_OK ? end - begin : -1;
}
