// The text of a span, and the white space around it, which is left out.
#pragma once

#include <cstdint>
#include <string_view>

#include "kinglet.h"
#include "tokenizer/utf8.h"

namespace kinglet {

// What a span of bytes of `text` stands for; empty when it ends before it begins.
inline std::string_view part_of(std::string_view text, kinglet_span span) {
  return span.begin < span.end && span.end <= text.size()
             ? std::string_view(text.data() + span.begin, span.end - span.begin)
             : std::string_view();
}

// Unicode's White_Space.
inline bool is_white_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

// A span of bytes of `text` without the white space at its ends. One of white space only becomes empty, at its end;
// one that ends before it begins stays as it is.
inline kinglet_span trim(std::string_view text, kinglet_span span) {
  const Source source({}, text);
  while (span.begin < span.end) {
    size_t next = span.begin;
    if (!is_white_space(decode(source, span.end, next))) {
      break;
    }
    span.begin = static_cast<uint32_t>(next);
  }
  while (span.begin < span.end) {
    size_t last = span.end - 1;
    while (last > span.begin && (source[last] & 0xc0) == 0x80) {
      --last;
    }
    size_t behind = last;
    if (!is_white_space(decode(source, span.end, behind)) || behind != span.end) {
      break;
    }
    span.end = static_cast<uint32_t>(last);
  }
  return span;
}

}  // namespace kinglet
