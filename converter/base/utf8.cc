// UTF-8 that may be bad.
#include "base/utf8.h"

namespace kinglet::convert {

char32_t decode_utf8(std::string_view text, size_t at, size_t* length) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  *length = 1;
  if (first < 0x80) {
    return first;
  }
  size_t count = 0;                       // continuation bytes
  unsigned char low = 0x80, high = 0xbf;  // of the first continuation byte (Unicode, table 3-7)
  char32_t code = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    count = 1;
    code = first & 0x1f;
  } else if (first >= 0xe0 && first <= 0xef) {
    count = 2;
    code = first & 0x0f;
    low = first == 0xe0 ? 0xa0 : 0x80;
    high = first == 0xed ? 0x9f : 0xbf;
  } else if (first >= 0xf0 && first <= 0xf4) {
    count = 3;
    code = first & 0x07;
    low = first == 0xf0 ? 0x90 : 0x80;
    high = first == 0xf4 ? 0x8f : 0xbf;
  } else {
    return 0xfffd;
  }
  for (size_t i = 1; i <= count; ++i) {
    if (at + i >= text.size() || byte(i) < low || byte(i) > high) {
      *length = i;
      return 0xfffd;
    }
    code = (code << 6) | (byte(i) & 0x3f);
    low = 0x80;
    high = 0xbf;
  }
  *length = count + 1;
  return code;
}

void append_utf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0 | (code >> 6));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0 | (code >> 12));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code >> 18));
    out += static_cast<char>(0x80 | ((code >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code & 0x3f));
  }
}

}  // namespace kinglet::convert
