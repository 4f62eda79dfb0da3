// Text for output: JSON strings and numbers, UTF-8 made valid, and texts made safe for a terminal.
#include "cli/text.h"

#include <cstdarg>
#include <cstdio>

namespace kinglet::cli {

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
