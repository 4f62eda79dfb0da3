/* What the C tests share: checks that count, and models and sessions that must open. */
#ifndef KINGLET_TESTS_API_C_SUPPORT_H_
#define KINGLET_TESTS_API_C_SUPPORT_H_

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kinglet.h"

extern int failures;

#define CHECK(condition)                                                              \
  do {                                                                                \
    if (!(condition)) {                                                               \
      ++failures;                                                                     \
      printf("%s:%d: %s\n", __FILE__, __LINE__, #condition);                          \
    }                                                                                 \
  } while (0)

#define CHECK_STATUS(wanted, call)                                                           \
  do {                                                                                       \
    const kinglet_status status_ = (call);                                                   \
    if (status_ != (wanted)) {                                                               \
      ++failures;                                                                            \
      printf("%s:%d: %s: %s, expected %s\n", __FILE__, __LINE__, #call,                      \
             kinglet_status_name(status_), kinglet_status_name(wanted));                     \
    }                                                                                        \
  } while (0)

static inline kinglet_input text_input(const char* text) {
  kinglet_input input = {0};
  input.text = text;
  input.text_length = strlen(text);
  return input;
}

static inline kinglet_model_info info_of(const kinglet_model* model) {
  kinglet_model_info info = {0};
  info.struct_size = sizeof info;
  CHECK_STATUS(KINGLET_OK, kinglet_model_get_info(model, &info));
  return info;
}

static inline kinglet_model* open_good(const char* path) {
  kinglet_model* model = NULL;
  CHECK_STATUS(KINGLET_OK, kinglet_model_open_path(path, &model));
  if (model == NULL || kinglet_model_message(model)[0] != '\0') {
    printf("%s: %s\n", path, kinglet_model_message(model));
    exit(1);
  }
  return model;
}

static inline kinglet_session* create_good(kinglet_model* model, const kinglet_session_options* options) {
  kinglet_session* session = NULL;
  CHECK_STATUS(KINGLET_OK, kinglet_session_create(model, options, &session));
  if (session == NULL || kinglet_session_message(session)[0] != '\0') {
    printf("session: %s\n", kinglet_session_message(session));
    exit(1);
  }
  return session;
}

/* In c_threads.c: threads, cancelling and the floating-point environment. */
void test_pools(const char* path);
void test_cancel(const char* path);
void test_shared_model(const char* path);
void test_floating_point(const char* path);

#endif
