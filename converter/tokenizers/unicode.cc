// Look-ups in the generated tables.
#include "tokenizers/unicode.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <unordered_map>

namespace kinglet::convert::unicode {
namespace {

struct ClassRange {
  uint32_t first, last;
  uint8_t combining_class;
};

#include "tokenizers/unicode_tables.inc"

template <typename R>
const R* find(std::span<const R> ranges, uint32_t code_point) {
  const auto at = std::lower_bound(ranges.begin(), ranges.end(), code_point,
                                   [](const R& range, uint32_t c) { return range.last < c; });
  return at != ranges.end() && at->first <= code_point ? &*at : nullptr;
}

bool contains(std::span<const Range> ranges, uint32_t code_point) { return find(ranges, code_point) != nullptr; }

using Mapping = std::unordered_map<uint32_t, std::vector<uint32_t>>;

Mapping read_mapping(std::span<const uint32_t> numbers) {
  Mapping mapping;
  for (size_t at = 0; at < numbers.size(); at += 2 + numbers[at + 1]) {
    mapping[numbers[at]].assign(&numbers[at + 2], &numbers[at + 2] + numbers[at + 1]);
  }
  return mapping;
}

std::vector<uint32_t> look_up(const Mapping& mapping, uint32_t code_point) {
  const auto found = mapping.find(code_point);
  return found == mapping.end() ? std::vector<uint32_t>{code_point} : found->second;
}

std::vector<uint32_t> bounds(std::span<const Range> ranges) {
  std::vector<uint32_t> numbers;
  for (const Range& range : ranges) {
    numbers.push_back(range.first);
    numbers.push_back(range.last);
  }
  return numbers;
}

std::vector<bool> find_ordinary() {
  std::vector<bool> ordinary(0x110000, true);
  const auto strike = [&](uint32_t first, uint32_t last) {
    std::fill(ordinary.begin() + first, ordinary.begin() + last + 1, false);
  };
  for (const auto ranges : {std::span<const Range>(kRemoved), std::span<const Range>(kToSpace),
                            std::span<const Range>(kChinese), std::span<const Range>(kMarks),
                            std::span<const Range>(kSpace), std::span<const Range>(kPunctuation)}) {
    for (const Range& range : ranges) {
      strike(range.first, range.last);
    }
  }
  for (const ClassRange& range : kCombiningClass) {
    strike(range.first, range.last);
  }
  strike(kHangulFirst, kHangulLast);
  for (const auto& mapping : {read_mapping(kLower), read_mapping(kDecomposition)}) {
    for (const auto& [code_point, text] : mapping) {
      ordinary[code_point] = false;
    }
  }
  return ordinary;
}

}  // namespace

bool ordinary(uint32_t code_point) {
  static const std::vector<bool> table = find_ordinary();
  return table[code_point];
}

bool removed(uint32_t code_point) { return contains(kRemoved, code_point); }
bool to_space(uint32_t code_point) { return contains(kToSpace, code_point); }
bool chinese(uint32_t code_point) { return contains(kChinese, code_point); }
bool mark(uint32_t code_point) { return contains(kMarks, code_point); }
bool space(uint32_t code_point) { return contains(kSpace, code_point); }
bool punctuation(uint32_t code_point) { return contains(kPunctuation, code_point); }

bool combining(uint32_t code_point) { return contains(kCombining, code_point); }
bool letter(uint32_t code_point) { return contains(kLetter, code_point); }
bool number(uint32_t code_point) { return contains(kNumber, code_point); }
bool onig_space(uint32_t code_point) { return contains(kOnigSpace, code_point); }

int cluster_part(uint32_t c) {
  if (contains(kExtend, c)) {
    const bool conjunct = contains(kInConjunct, c), linker = contains(kLinker, c), picture = contains(kInPicture, c);
    return linker ? (picture ? 11 : 14) : conjunct ? 10 : picture ? 13 : 2;
  }
  if (c >= kHangulFirst && c <= kHangulLast) {
    return (c - kHangulFirst) % 28 == 0 ? 8 : 9;
  }
  return contains(kControl, c)     ? 1
         : contains(kPrepend, c)   ? 3
         : contains(kPicture, c)   ? 4
         : contains(kLeading, c)   ? 5
         : contains(kVowel, c)     ? 6
         : contains(kTrailing, c)  ? 7
         : contains(kConsonant, c) ? 12
                                   : 0;
}

uint8_t combining_class(uint32_t code_point) {
  const ClassRange* range = find(std::span<const ClassRange>(kCombiningClass), code_point);
  return range == nullptr ? 0 : range->combining_class;
}

std::vector<uint32_t> lower(uint32_t code_point) {
  static const Mapping mapping = read_mapping(kLower);
  return look_up(mapping, code_point);
}

std::vector<uint32_t> decompose(uint32_t code_point) {
  static const Mapping mapping = read_mapping(kDecomposition);
  if (code_point >= kHangulFirst && code_point <= kHangulLast) {
    const uint32_t syllable = code_point - kHangulFirst;
    std::vector<uint32_t> jamo{0x1100 + syllable / 588, 0x1161 + syllable % 588 / 28};
    if (syllable % 28 != 0) {
      jamo.push_back(0x11a7 + syllable % 28);
    }
    return jamo;
  }
  return look_up(mapping, code_point);
}

namespace {

const Mapping& compatibility() {
  static const Mapping mapping = read_mapping(kCompatibility);
  return mapping;
}

}  // namespace

bool compatible(uint32_t code_point) { return compatibility().count(code_point) != 0; }

std::vector<uint32_t> decompose_compatible(uint32_t code_point) {
  return compatible(code_point) ? look_up(compatibility(), code_point) : decompose(code_point);
}

std::vector<std::array<uint32_t, 3>> compositions() {
  std::vector<std::array<uint32_t, 3>> pairs;
  const std::span<const uint32_t> numbers(kComposition);
  for (size_t at = 0; at < numbers.size(); at += 3) {
    pairs.push_back({numbers[at], numbers[at + 1], numbers[at + 2]});
  }
  return pairs;
}

std::vector<bool> combines() {
  std::vector<bool> result(0x110000);
  std::vector<bool> composite(0x110000);
  for (const auto& pair : compositions()) {
    result[pair[1]] = true;
    composite[pair[2]] = true;
  }
  for (const ClassRange& range : kCombiningClass) {
    std::fill(result.begin() + range.first, result.begin() + range.last + 1, true);
  }
  for (const auto& [code_point, text] : read_mapping(kDecomposition)) {
    result[code_point] = result[code_point] || !composite[code_point];
  }
  // Hangul vowels and trailing consonants.
  std::fill(result.begin() + 0x1161, result.begin() + 0x1176, true);
  std::fill(result.begin() + 0x11a8, result.begin() + 0x11c3, true);
  return result;
}

std::vector<uint32_t> space_bounds() { return bounds(kSpace); }
std::vector<uint32_t> word_bounds() { return bounds(kWord); }

void append_utf8(std::string& text, uint32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xc0 | c >> 6);
    text += static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    text += static_cast<char>(0xe0 | c >> 12);
    text += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    text += static_cast<char>(0xf0 | c >> 18);
    text += static_cast<char>(0x80 | (c >> 12 & 0x3f));
    text += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (c & 0x3f));
  }
}

}  // namespace kinglet::convert::unicode
