// UTF-8 read from one or two pieces of memory that count as one text. Each maximal part of an ill-formed sequence is
// one U+FFFD (Unicode 3.9, "substitution of maximal subparts"; Python's errors="replace").
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kinglet {

inline constexpr uint32_t kReplacement = 0xfffd;

// A prefix and a text, one behind the other.
struct Source {
  const uint8_t* head = nullptr;
  size_t split = 0;  // bytes of the head
  const uint8_t* tail = nullptr;
  size_t size = 0;   // bytes of both

  Source(std::string_view prefix, std::string_view text)
      : head(reinterpret_cast<const uint8_t*>(prefix.data())),
        split(prefix.size()),
        tail(reinterpret_cast<const uint8_t*>(text.data())),
        size(prefix.size() + text.size()) {}

  uint8_t operator[](size_t position) const { return position < split ? head[position] : tail[position - split]; }
  // The memory that `position` lies in, and the position where it ends.
  const uint8_t* segment(size_t position, size_t* segment_end) const {
    *segment_end = position < split ? split : size;
    return position < split ? head + position : tail + (position - split);
  }
};

// The code point at `position` (< end), which moves behind it by at least one byte and never beyond `end`.
inline uint32_t decode(const Source& source, size_t end, size_t& position) {
  const uint8_t lead = source[position++];
  if (lead < 0x80) {
    return lead;
  }
  int more;
  uint8_t low = 0x80, high = 0xbf;  // of the first continuation byte
  uint32_t code_point;
  if (lead >= 0xc2 && lead <= 0xdf) {
    more = 1;
    code_point = lead & 0x1fu;
  } else if ((lead & 0xf0) == 0xe0) {
    more = 2;
    code_point = lead & 0x0fu;
    low = lead == 0xe0 ? 0xa0 : 0x80;
    high = lead == 0xed ? 0x9f : 0xbf;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    more = 3;
    code_point = lead & 0x07u;
    low = lead == 0xf0 ? 0x90 : 0x80;
    high = lead == 0xf4 ? 0x8f : 0xbf;
  } else {
    return kReplacement;
  }
  for (; more > 0; --more) {
    if (position == end) {
      return kReplacement;
    }
    const uint8_t byte = source[position];
    if (byte < low || byte > high) {
      return kReplacement;
    }
    code_point = code_point << 6 | (byte & 0x3fu);
    low = 0x80;
    high = 0xbf;
    ++position;
  }
  return code_point;
}

// Writes 1 to 4 bytes and returns how many.
inline uint8_t encode_utf8(uint32_t code_point, uint8_t* bytes) {
  if (code_point < 0x80) {
    bytes[0] = static_cast<uint8_t>(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    bytes[0] = static_cast<uint8_t>(0xc0 | code_point >> 6);
    bytes[1] = static_cast<uint8_t>(0x80 | (code_point & 0x3f));
    return 2;
  }
  if (code_point < 0x10000) {
    bytes[0] = static_cast<uint8_t>(0xe0 | code_point >> 12);
    bytes[1] = static_cast<uint8_t>(0x80 | (code_point >> 6 & 0x3f));
    bytes[2] = static_cast<uint8_t>(0x80 | (code_point & 0x3f));
    return 3;
  }
  bytes[0] = static_cast<uint8_t>(0xf0 | code_point >> 18);
  bytes[1] = static_cast<uint8_t>(0x80 | (code_point >> 12 & 0x3f));
  bytes[2] = static_cast<uint8_t>(0x80 | (code_point >> 6 & 0x3f));
  bytes[3] = static_cast<uint8_t>(0x80 | (code_point & 0x3f));
  return 4;
}

// Whether the bytes are well-formed.
inline bool valid_utf8(const uint8_t* bytes, size_t count) {
  const Source source({}, std::string_view(reinterpret_cast<const char*>(bytes), count));
  for (size_t at = 0; at < count;) {
    const size_t begin = at;
    if (decode(source, count, at) == kReplacement &&
        !(at - begin == 3 && bytes[begin] == 0xef && bytes[begin + 1] == 0xbf && bytes[begin + 2] == 0xbd)) {
      return false;
    }
  }
  return true;
}

}  // namespace kinglet
