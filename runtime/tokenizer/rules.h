// The rules of tokenizer.fbs that stand beside its CharMap: classes of characters, composition, the charsmap.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"
#include "tokenizer/charmap.h"
#include "tokenizer/trie.h"
#include "tokenizer_generated.h"

namespace kinglet {

enum class Letter : uint8_t { other = 0, letter = 1, number = 2, space = 3 };

// Parts of grapheme clusters, see CharClasses in tokenizer.fbs.
enum class Part : uint8_t {
  other,
  control,
  extend,
  prepend,
  picture,
  l,
  v,
  t,
  lv,
  lvt,
  extend_both,
  linker_both,
  consonant,
  extend_picture,
  linker
};

// A view of the class of every code point. Thread-safe.
class CharClasses {
 public:
  static constexpr uint8_t kCombines = 1 << 2, kStripped = 1 << 3;

  static kinglet_status open(const fmt::CharClasses& table, CharClasses* out, Error& error);

  uint8_t of(uint32_t code_point) const {
    const uint32_t block = code_point >> 7;
    return block < block_count_ ? classes_[blocks_[block] * size_t{128} + (code_point & 127)] : rest_;
  }
  static Letter letter(uint8_t entry) { return static_cast<Letter>(entry & 3); }
  static Part part(uint8_t entry) { return static_cast<Part>(entry >> 4); }

 private:
  const uint16_t* blocks_ = nullptr;
  uint32_t block_count_ = 0;
  const uint8_t* classes_ = nullptr;
  uint8_t rest_ = 0;
};

// Views of a checked Rules table.
class Rules {
 public:
  enum Strip : uint8_t { kLeftBefore = 1, kRightBefore = 2, kLeft = 4, kRight = 8, kPrepend = 16 };
  enum Collapse : uint8_t { kKeep = 0, kSpaces = 1, kWhiteSpace = 2 };
  enum Trim : uint8_t { kTrim = 1, kPrefixed = 2 };

  static kinglet_status open(const fmt::Rules& table, const fmt::CharMap& map, Rules* out, Error& error);

  const CharClasses& classes() const { return classes_; }
  bool has_literals() const { return has_literals_; }
  const Trie& literals() const { return literals_; }
  bool composes() const { return composition_count_ != 0; }
  // The primary composite of two characters, 0 for none.
  uint32_t compose(uint32_t first, uint32_t second) const;
  bool has_charsmap() const { return has_charsmap_; }
  // What the shortest prefix of `bytes` in the charsmap becomes; null when there is none.
  const uint8_t* mapped(const uint8_t* bytes, size_t count, uint32_t* length) const;
  uint8_t strip() const { return strip_; }
  uint8_t collapse() const { return collapse_; }
  uint32_t space() const { return space_; }
  uint8_t trim() const { return trim_; }
  void set_trim(uint8_t trim) { trim_ = trim; }
  // What an ASCII character becomes if no character beyond ASCII follows, where that is one such character; 0
  // otherwise.
  uint8_t ascii(uint8_t byte) const { return ascii_[byte]; }
  void set_ascii(uint8_t byte, uint8_t becomes) { ascii_[byte] = becomes; }
  // Whether characters come out as they go in.
  bool identity() const { return identity_; }

 private:
  kinglet_status open_charsmap(const fmt::Rules& table, Error& error);

  CharClasses classes_;
  bool has_literals_ = false, has_charsmap_ = false, identity_ = false;
  Trie literals_, charsmap_;
  const fmt::Composition* compositions_ = nullptr;
  uint32_t composition_count_ = 0;
  const uint8_t* charsmap_text_ = nullptr;
  uint8_t strip_ = 0, collapse_ = 0, trim_ = 0;
  uint32_t space_ = ' ';
  uint8_t ascii_[128] = {};
};

// The code point of an element that is not dropped.
inline uint32_t code_point(const Element& element) {
  const uint8_t* b = element.bytes;
  switch (element.length) {
    case 1:
      return b[0];
    case 2:
      return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    case 3:
      return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    default:
      return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
  }
}

}  // namespace kinglet
