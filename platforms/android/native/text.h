// Texts between Java, which counts in UTF-16 and allows lone surrogates, and kinglet.h, which reads UTF-8. JNI's own
// conversions speak "modified UTF-8" and are of no use. Pure functions, no JNI.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace kinglet::jni {

// Turns UTF-16 that comes piece by piece into UTF-8. A surrogate without its other half becomes U+FFFD: one unit on
// both sides, so that offsets agree.
class Utf8Writer {
 public:
  // Bytes that a piece of `count` units may need, with what the piece before left over.
  static size_t most(size_t count) { return 3 * count + 3; }
  // Writes at most most(count) bytes and returns how many.
  size_t write(const uint16_t* units, size_t count, char* out);
  // After the last piece: at most 3 bytes.
  size_t finish(char* out);

 private:
  uint32_t high_ = 0;  // a high surrogate at the end of the piece before; 0: none
};

// Turns UTF-8 into at most `size` units of UTF-16 and returns how many. Each maximal part of an ill-formed sequence
// becomes one U+FFFD, as Unicode recommends.
size_t utf8_to_utf16(const char* text, size_t size, uint16_t* out);

}  // namespace kinglet::jni
