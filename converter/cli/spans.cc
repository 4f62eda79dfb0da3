#include "cli/spans.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/text.h"

namespace kinglet::cli {

void add_offsets_option(CLI::App& app, std::string* unit) {
  app.add_option("--offsets", *unit, "The unit of offsets: bytes (default), utf16 or codepoints")
      ->type_name("UNIT")
      ->check(CLI::IsMember({"bytes", "utf16", "codepoints"}));
}

kinglet_offset_unit offset_unit(const std::string& unit) {
  return unit == "utf16"        ? KINGLET_OFFSETS_UTF16
         : unit == "codepoints" ? KINGLET_OFFSETS_CODEPOINTS
                                : KINGLET_OFFSETS_BYTES;
}

size_t Slicer::byte_of(uint32_t place) {
  if (unit_ == KINGLET_OFFSETS_BYTES) {
    return std::min<size_t>(place, text_.size());
  }
  if (place < place_) {
    byte_ = place_ = 0;
  }
  while (place_ < place && byte_ < text_.size()) {
    size_t length = 0;
    const char32_t code = decode_utf8(text_, byte_, &length);
    byte_ += length;
    place_ += unit_ == KINGLET_OFFSETS_UTF16 && code > 0xffff ? 2 : 1;
  }
  return byte_;
}

std::string_view Slicer::slice(const Span& span) {
  const size_t begin = byte_of(span.begin), end = byte_of(span.end);
  return begin < end ? text_.substr(begin, end - begin) : std::string_view();
}

}  // namespace kinglet::cli
