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

void convert_offsets(kinglet_offset_unit unit, std::string_view text, kinglet_span* offsets, size_t count) {
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
    if (offsets[i].begin == KINGLET_NO_OFFSET) {
      continue;
    }
    begin = advance(begin, offsets[i].begin);
    const Cursor end = advance(begin, offsets[i].end);
    offsets[i] = {begin.units, end.units};
  }
}

}  // namespace kinglet
