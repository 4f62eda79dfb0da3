#include "session/offset_units.h"

#include <cstdint>

#include "tokenizer/utf8.h"

namespace kinglet {
namespace {

// A place in a text, in bytes and in units.
struct Cursor {
  size_t bytes = 0;
  uint32_t units = 0;
};

}  // namespace

void convert_offsets(kinglet_offset_unit unit, std::string_view text, kinglet_span* offsets, size_t count,
                     size_t stride) {
  if (unit == KINGLET_OFFSETS_BYTES) {
    return;
  }
  const Source source({}, text);
  const auto advance = [&](Cursor from, size_t bytes) {
    if (bytes < from.bytes) {
      from = {};
    }
    while (from.bytes < bytes) {
      const uint32_t code_point = decode(source, source.size, from.bytes);
      from.units += unit == KINGLET_OFFSETS_UTF16 && code_point > 0xffff ? 2 : 1;
    }
    return from;
  };
  Cursor begin;
  for (size_t i = 0; i < count; ++i) {
    kinglet_span& span = *reinterpret_cast<kinglet_span*>(reinterpret_cast<char*>(offsets) + i * stride);
    if (span.begin == KINGLET_NO_OFFSET) {
      continue;
    }
    begin = advance(begin, span.begin);
    const Cursor end = advance(begin, span.end);
    span = {begin.units, end.units};
  }
}

}  // namespace kinglet
