// Messages for people: how the converter refuses, and how it quotes what it does not trust.
#pragma once

#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "error.h"

namespace kinglet::convert {

// Throws Error with the parts put one after the other.
template <typename... Parts>
[[noreturn]] void refuse(const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw Error(message.str());
}

// A name from a file, fit for one line: in double quotes, control characters as \xNN, cut after 120 bytes.
std::string quote(std::string_view name);

// "[3, 64]".
template <typename T>
std::string shape_text(const std::vector<T>& shape) {
  std::ostringstream text;
  text << '[';
  for (size_t i = 0; i < shape.size(); ++i) {
    text << (i == 0 ? "" : ", ") << shape[i];
  }
  text << ']';
  return text.str();
}

// "a, b and c".
std::string list_text(const std::vector<std::string>& names);

// Whether `text` matches a pattern of *, ? and plain characters. Linear in both for a fixed number of stars.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace kinglet::convert
