// Pieces of HTML: escaped text, numbers for people.
#include "report/html.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/utf8.h"

namespace kinglet::convert {

namespace {

// Controls, line ends, and what turns the direction of text: a label must not rearrange the page.
bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x61c || (code >= 0x200e && code <= 0x200f) ||
         (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || (code & 0xfffe) == 0xfffe ||
         (code >= 0xfdd0 && code <= 0xfdef);
}

}  // namespace

std::string escape_html(std::string_view text, size_t most) {
  std::string out;
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (count == most) {
      return out + "…";
    }
    size_t length = 0;
    const char32_t code = decode_utf8(text, at, &length);
    at += length;
    switch (code) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        append_utf8(out, is_control(code) ? U' ' : code);
    }
  }
  return out;
}

std::string bytes_text(uint64_t bytes) {
  if (bytes < 1000) {
    return std::to_string(bytes) + " bytes";
  }
  double value = static_cast<double>(bytes);
  const char* unit = "";
  for (const char* next : {"KB", "MB", "GB", "TB"}) {
    unit = next;
    value /= 1000;
    if (value < 999.5) {
      break;
    }
  }
  char text[48];
  std::snprintf(text, sizeof(text), value < 9.995 ? "%.2f %s" : value < 99.95 ? "%.1f %s" : "%.0f %s", value, unit);
  return text;
}

std::string grouped(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t place = text.size(); place > 3;) {
    place -= 3;
    text.insert(place, ",");
  }
  return text;
}

std::string formatted(const char* pattern, double value) {
  char text[400];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
  std::snprintf(text, sizeof(text), pattern, value);
#pragma GCC diagnostic pop
  return text;
}

std::string number_text(const char* pattern, double value) {
  std::string result = formatted(pattern, value);
  if (!result.empty() && result[0] == '-') {
    const bool zero = result.find_first_of("123456789") == std::string::npos;
    result.replace(0, 1, zero ? "" : "−");
  }
  return result;
}

std::string ms_text(double ms) {
  return number_text(ms < 0.1 ? "%.3f" : ms < 9.995 ? "%.2f" : ms < 99.95 ? "%.1f" : "%.0f", ms);
}

std::string percent_attribute(double share) {
  char text[32];
  const double sound = std::isfinite(share) ? std::clamp(share, 0.0, 1.0) : 0.0;
  std::snprintf(text, sizeof(text), "%.2f%%", sound * 100);
  return text;
}

}  // namespace kinglet::convert
