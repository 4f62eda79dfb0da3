// Text for output: JSON strings and numbers, UTF-8 made valid, and texts made safe for a terminal.
#include "cli/text.h"

#include <cstdarg>
#include <cstdio>

namespace kinglet::cli {

char32_t decode_utf8(std::string_view text, size_t at, size_t* length) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  *length = 1;
  if (first < 0x80) {
    return first;
  }
  size_t count = 0;  // continuation bytes
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

void append_json(std::string& out, std::string_view text) {
  out += '"';
  for (size_t at = 0; at < text.size();) {
    size_t length = 0;
    const char32_t code = decode_utf8(text, at, &length);
    at += length;
    switch (code) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (code < 0x20 || code == 0x7f) {
          out += format("\\u%04x", static_cast<unsigned>(code));
        } else {
          append_utf8(out, code);
        }
    }
  }
  out += '"';
}

void append_json(std::string& out, float number) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.9g", static_cast<double>(number));
  out += digits;
}

void append_json_double(std::string& out, double number) {
  char digits[40];
  std::snprintf(digits, sizeof digits, "%.17g", number);
  out += digits;
}

std::string shorten(std::string_view text, size_t width) {
  std::string out;
  size_t at = 0;
  for (size_t count = 0; at < text.size() && count < width; ++count) {
    size_t length = 0;
    const char32_t code = decode_utf8(text, at, &length);
    at += length;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
      out += ' ';
    } else if ((code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069)) {
      append_utf8(out, 0xfffd);  // bidirectional overrides could reorder the rest of the line
    } else {
      append_utf8(out, code);
    }
  }
  if (at < text.size()) {
    out += "…";
  }
  return out;
}

std::string group_digits(unsigned long long number) {
  const std::string digits = std::to_string(number);
  std::string out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) {
      out += ',';
    }
    out += digits[i];
  }
  return out;
}

std::string format(const char* pattern, ...) {
  va_list list;
  va_start(list, pattern);
  va_list again;
  va_copy(again, list);
  const int size = std::vsnprintf(nullptr, 0, pattern, list);
  va_end(list);
  std::string out(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  std::vsnprintf(out.data(), out.size() + 1, pattern, again);
  va_end(again);
  return out;
}

}  // namespace kinglet::cli
