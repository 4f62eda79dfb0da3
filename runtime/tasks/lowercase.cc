#include "tasks/lowercase.h"

#include <cstddef>

#include "tokenizer/utf8.h"

namespace kinglet {
namespace {

struct Range {
  uint32_t first, last, step;
  int32_t difference;
};

constexpr Range kRanges[] = {
#include "tasks/lowercase.inc"
};

constexpr uint32_t kSigma = 0x3c3, kFinalSigma = 0x3c2;

}  // namespace

uint32_t lowercase(uint32_t c) {
  if (c < 0x80) {
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
  }
  if (c == kFinalSigma) {
    return kSigma;
  }
  size_t low = 0, high = sizeof(kRanges) / sizeof(kRanges[0]);
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (kRanges[middle].last < c) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (low == sizeof(kRanges) / sizeof(kRanges[0]) || c < kRanges[low].first ||
      (c - kRanges[low].first) % kRanges[low].step != 0) {
    return c;
  }
  return static_cast<uint32_t>(static_cast<int32_t>(c) + kRanges[low].difference);
}

uint64_t hash_lowercase(std::string_view text) {
  const Source source({}, text);
  uint64_t hash = 0xcbf29ce484222325;
  for (size_t at = 0; at < text.size();) {
    hash = (hash ^ lowercase(decode(source, text.size(), at))) * 0x100000001b3;
  }
  return hash ^ hash >> 32;
}

bool equal_lowercase(std::string_view a, std::string_view b) {
  const Source first({}, a), second({}, b);
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (lowercase(decode(first, a.size(), i)) != lowercase(decode(second, b.size(), j))) {
      return false;
    }
  }
  return i == a.size() && j == b.size();
}

}  // namespace kinglet
