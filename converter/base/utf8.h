// UTF-8 that may be bad.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kinglet::convert {

// Decodes the character at text[at], at < text.size(): its code point and its length in bytes. A bad sequence is
// U+FFFD with the length that Python's errors="replace" gives it (the longest valid prefix, at least one byte).
char32_t decode_utf8(std::string_view text, size_t at, size_t* length);
void append_utf8(std::string& out, char32_t code);

}  // namespace kinglet::convert
