// UTF-16 to UTF-8 and back.
#include "text.h"

namespace kinglet::jni {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

bool is_high(uint32_t unit) {
  return (unit & 0xFC00) == 0xD800;
}
bool is_low(uint32_t unit) {
  return (unit & 0xFC00) == 0xDC00;
}

char* put(uint32_t code, char* out) {
  if (code < 0x80) {
    *out++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *out++ = static_cast<char>(0xC0 | code >> 6);
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    *out++ = static_cast<char>(0xE0 | code >> 12);
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | code >> 18);
    *out++ = static_cast<char>(0x80 | (code >> 12 & 0x3F));
    *out++ = static_cast<char>(0x80 | (code >> 6 & 0x3F));
    *out++ = static_cast<char>(0x80 | (code & 0x3F));
  }
  return out;
}

}  // namespace

size_t Utf8Writer::write(const uint16_t* units, size_t count, char* out) {
  char* const first = out;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t unit = units[i];
    if (high_ != 0) {
      const uint32_t high = high_;
      high_ = 0;
      if (is_low(unit)) {
        out = put(0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00), out);
        continue;
      }
      out = put(kReplacement, out);
    }
    if (is_high(unit)) {
      high_ = unit;
    } else {
      out = put(is_low(unit) ? kReplacement : unit, out);
    }
  }
  return static_cast<size_t>(out - first);
}

size_t Utf8Writer::finish(char* out) {
  if (high_ == 0) {
    return 0;
  }
  high_ = 0;
  return static_cast<size_t>(put(kReplacement, out) - out);
}

size_t utf8_to_utf16(const char* text, size_t size, uint16_t* out) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text);
  uint16_t* const first = out;
  for (size_t i = 0; i < size;) {
    const uint32_t lead = bytes[i++];
    if (lead < 0x80) {
      *out++ = static_cast<uint16_t>(lead);
      continue;
    }
    // How many bytes follow, and the range of the first of them, which keeps out surrogates and longer forms.
    uint32_t more = 0, low = 0x80, high = 0xBF, code = 0;
    if (lead >= 0xC2 && lead <= 0xDF) {
      more = 1;
      code = lead & 0x1F;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
      more = 2;
      code = lead & 0x0F;
      low = lead == 0xE0 ? 0xA0 : 0x80;
      high = lead == 0xED ? 0x9F : 0xBF;
    } else if (lead >= 0xF0 && lead <= 0xF4) {
      more = 3;
      code = lead & 0x07;
      low = lead == 0xF0 ? 0x90 : 0x80;
      high = lead == 0xF4 ? 0x8F : 0xBF;
    }
    bool good = more != 0;
    for (; good && more != 0; --more) {
      if (i == size || bytes[i] < low || bytes[i] > high) {
        good = false;
        break;
      }
      code = code << 6 | (bytes[i++] & 0x3F);
      low = 0x80;
      high = 0xBF;
    }
    if (!good) {
      *out++ = kReplacement;
    } else if (code < 0x10000) {
      *out++ = static_cast<uint16_t>(code);
    } else {
      *out++ = static_cast<uint16_t>(0xD800 + ((code - 0x10000) >> 10));
      *out++ = static_cast<uint16_t>(0xDC00 + (code & 0x3FF));
    }
  }
  return static_cast<size_t>(out - first);
}

}  // namespace kinglet::jni
