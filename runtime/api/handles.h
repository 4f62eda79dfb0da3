// What the opaque handles of kinglet.h hold.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "base/error.h"
#include "model/model.h"
#include "session/session.h"
#include "tasks/task_session.h"

struct kinglet_model {
  kinglet::Model model;
  kinglet::Error error;
  bool open = false;
  std::atomic<uint32_t> references{1};  // the caller's, and one per session
};

struct kinglet_session {
  kinglet_model* model = nullptr;
  kinglet::Session session;
  kinglet::TaskSession tasks;
  kinglet::Error error;
  bool ready = false;
};

namespace kinglet {

// That the session can be used; forgets its last message.
inline kinglet_status check_session(kinglet_session* session) {
  if (session == nullptr) {
    return KINGLET_INVALID_ARGUMENT;
  }
  if (!session->ready) {
    return fail(session->error, KINGLET_INVALID_ARGUMENT, "the session could not be created");
  }
  session->error.message[0] = '\0';
  return KINGLET_OK;
}

// new and delete without libstdc++ and without exceptions.
template <typename T>
T* make() {
  void* memory = std::malloc(sizeof(T));
  return memory != nullptr ? new (memory) T() : nullptr;
}

template <typename T>
void destroy(T* object) {
  object->~T();
  std::free(object);
}

}  // namespace kinglet
