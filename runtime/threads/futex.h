// Sleeping until a 32-bit word changes, and waking those who sleep on it.
#pragma once

#include <atomic>
#include <cstdint>

namespace kinglet {

// Returns at once unless *word == value; may also return early. Callers loop.
void futex_wait(std::atomic<uint32_t>* word, uint32_t value);
void futex_wake_all(std::atomic<uint32_t>* word);

// Tells the processor that this is a spin loop.
inline void cpu_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

}  // namespace kinglet
