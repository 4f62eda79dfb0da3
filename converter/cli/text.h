// Text for output: JSON strings and numbers, UTF-8 made valid, and texts made safe for a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace kinglet::cli {

using convert::append_utf8;
using convert::decode_utf8;

// Appends `text` as a JSON string. The result is valid UTF-8: each bad sequence becomes U+FFFD.
void append_json(std::string& out, std::string_view text);
// Appends a number that reads back as the same float (%.9g; -0 keeps its sign). Precondition: finite.
void append_json(std::string& out, float number);
// The same for a double (%.17g).
void append_json_double(std::string& out, double number);

// The beginning of a text for a person: at most `width` code points, on one line, valid UTF-8, and without control
// characters, which a terminal might obey.
std::string shorten(std::string_view text, size_t width);

// "12,345,678".
std::string group_digits(unsigned long long number);
// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string format(const char* pattern, ...);

}  // namespace kinglet::cli
