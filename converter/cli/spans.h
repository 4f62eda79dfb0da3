// Spans of texts in any unit: the option, and the text that a span stands for.
#pragma once

#include <string>
#include <string_view>

#include "kinglet.hpp"

namespace CLI {
class App;
}

namespace kinglet::cli {

// --offsets UNIT: "bytes", "utf16" or "codepoints".
void add_offsets_option(CLI::App& app, std::string* unit);
kinglet_offset_unit offset_unit(const std::string& unit);

// The parts of a text that spans in some unit stand for. Time is linear for spans in the order of the text.
class Slicer {
 public:
  Slicer(std::string_view text, kinglet_offset_unit unit) : text_(text), unit_(unit) {}
  // Empty for a span that ends before it begins.
  std::string_view slice(const Span& span);

 private:
  size_t byte_of(uint32_t place);

  std::string_view text_;
  kinglet_offset_unit unit_;
  size_t byte_ = 0;
  uint32_t place_ = 0;  // the same in units
};

}  // namespace kinglet::cli
