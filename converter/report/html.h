// Pieces of HTML: escaped text, numbers for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace kinglet::convert {

// Text for an element or a quoted attribute: &, <, >, " and ' as references, bad UTF-8 as U+FFFD, control characters
// (those that turn the direction of text included) as spaces, and no more than `most` characters, then "…".
std::string escape_html(std::string_view text, size_t most = 2000);

// "23.7 MB", "512 KB", "80 bytes": decimal units, three digits.
std::string bytes_text(uint64_t bytes);
// "12,345".
std::string grouped(uint64_t number);
// printf for one number.
std::string formatted(const char* pattern, double value);
// The same; "−" instead of "-" in front of a negative one.
std::string number_text(const char* pattern, double value);
// "0.62", "13.4": milliseconds with three digits.
std::string ms_text(double ms);
// "12.34%" for CSS and SVG: `share` (clamped to 0 … 1) as a percentage.
std::string percent_attribute(double share);

}  // namespace kinglet::convert
