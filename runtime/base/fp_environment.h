// The floating-point environment that kernels need: round to nearest, denormals kept, no traps. Apps set flush-to-zero
// for audio or games, and it would change results.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace kinglet {

// Sets the environment of the current thread for as long as it lives, and then restores it.
class FpEnvironment {
 public:
  FpEnvironment() : saved_(get()) { set(kDefault); }
  ~FpEnvironment() { set(saved_); }
  FpEnvironment(const FpEnvironment&) = delete;
  FpEnvironment& operator=(const FpEnvironment&) = delete;

 private:
#if defined(__x86_64__)
  using Word = unsigned;
  static constexpr Word kDefault = 0x1f80;  // MXCSR: all exceptions masked, nearest, no FTZ, no DAZ
  static Word get() { return _mm_getcsr(); }
  static void set(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
  using Word = uint64_t;
  static constexpr Word kDefault = 0;  // FPCR: nearest, no FZ, no traps
  static Word get() {
    Word word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
  }
  static void set(Word word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
  using Word = unsigned;
  static constexpr Word kDefault = 0;
  static Word get() { return 0; }
  static void set(Word) {}
#endif

  Word saved_;
};

}  // namespace kinglet
