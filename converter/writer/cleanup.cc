// The list of temporary files, in a form that a signal handler may read: atomics and nothing else.
#include "writer/cleanup.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace kinglet::convert {

namespace {

constexpr size_t kEntries = 1024;
constexpr int kLevels = 8;  // of folders inside one another
constexpr std::array<int, 3> kSignals = {SIGINT, SIGTERM, SIGHUP};

std::array<std::atomic<const char*>, kEntries> entries;
static_assert(std::atomic<const char*>::is_always_lock_free);

std::mutex mutex;  // of everything below
size_t used = 0;
std::array<bool, kSignals.size()> replaced = {};
bool size_signal_replaced = false;

void remove_files(int signal) {
  for (auto& entry : entries) {
    if (const char* path = entry.load()) {
      unlink(path);
    }
  }
  // Folders go when they are empty, inner ones first: in whatever order they stand, each round removes one level.
  for (int level = 0; level < kLevels; ++level) {
    for (auto& entry : entries) {
      if (const char* path = entry.load()) {
        rmdir(path);
      }
    }
  }
  // The handler was installed with SA_RESETHAND: raising it again does what it would have done.
  raise(signal);
}

// Replaces the default action, and only that one, by `handler`.
bool replace_default(int signal, void (*handler)(int)) {
  struct sigaction old = {};
  if (sigaction(signal, nullptr, &old) != 0 || (old.sa_flags & SA_SIGINFO) != 0 || old.sa_handler != SIG_DFL) {
    return false;
  }
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  return sigaction(signal, &action, nullptr) == 0;
}

void restore_default(int signal) {
  struct sigaction action = {};
  action.sa_handler = SIG_DFL;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

void install() {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    replaced[i] = replace_default(kSignals[i], remove_files);
  }
  size_signal_replaced = replace_default(SIGXFSZ, SIG_IGN);
}

void uninstall() {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    if (replaced[i]) {
      restore_default(kSignals[i]);
    }
  }
  if (size_signal_replaced) {
    restore_default(SIGXFSZ);
  }
}

}  // namespace

int remember_file(const char* path) {
  const std::lock_guard lock(mutex);
  for (size_t i = 0; i < kEntries; ++i) {
    if (entries[i].load() == nullptr) {
      if (used++ == 0) {
        install();
      }
      entries[i].store(path);
      return static_cast<int>(i);
    }
  }
  return -1;
}

void forget_file(int entry) {
  const std::lock_guard lock(mutex);
  if (entry >= 0) {
    entries[static_cast<size_t>(entry)].store(nullptr);
    if (--used == 0) {
      uninstall();
    }
  }
}

}  // namespace kinglet::convert
