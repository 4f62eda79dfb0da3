// Checks the character map; expansions, Hangul syllables and canonical ordering.
#include "tokenizer/charmap.h"

#include <cstring>

namespace kinglet {
namespace {

constexpr uint32_t kMaxElements = 32;
constexpr size_t kMaxLiteral = 16;  // bytes that are looked at, whatever the trie says

constexpr uint8_t kLengthBits = 7, kCombiningBit = 1 << 5, kContinuesBit = 1 << 6, kLastBit = 1 << 7;

// The length that a UTF-8 sequence's first byte calls for, or 0.
uint32_t sequence_length(uint8_t lead) {
  return lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

const char* check_expansion(const uint8_t* bytes, size_t size) {
  size_t at = 0;
  for (uint32_t count = 0; count < kMaxElements; ++count) {
    if (at == size) {
      return "runs past the end of the expansions";
    }
    const uint8_t header = bytes[at++];
    const uint32_t length = header & kLengthBits;
    if (length > 4 || (header >> 3 & 3) > 2) {
      return "has an element with an unknown header";
    }
    if (header & kCombiningBit) {
      if (at == size || bytes[at] == 0) {
        return "has an element without a combining class";
      }
      ++at;
      if (count > 0 && (header & kContinuesBit) == 0) {
        return "has a mark that begins a second character";
      }
    }
    if (length > size - at || (length > 0 && sequence_length(bytes[at]) != length)) {
      return "has an element that is not a UTF-8 character";
    }
    for (uint32_t i = 1; i < length; ++i) {
      if ((bytes[at + i] & 0xc0) != 0x80) {
        return "has an element that is not a UTF-8 character";
      }
    }
    at += length;
    if (header & kLastBit) {
      return nullptr;
    }
  }
  return "has too many elements";
}

const char* check_entry(uint32_t entry, const flatbuffers::Vector<uint8_t>& expansions) {
  if (entry <= CharMap::kSpaced) {
    return nullptr;
  }
  if (entry < CharMap::kFirstExpansion) {
    return "is of an unknown kind";
  }
  const uint32_t offset = entry - CharMap::kFirstExpansion;
  if (offset >= expansions.size()) {
    return "points beyond the expansions";
  }
  return check_expansion(expansions.data() + offset, expansions.size() - offset);
}

}  // namespace

kinglet_status CharMap::open(const fmt::CharMap& table, CharMap* out, Error& error) {
  const auto& blocks = *table.blocks();
  const auto& entries = *table.entries();
  if (blocks.size() > 0x110000 / 128 || entries.size() % 128 != 0) {
    return fail(error, KINGLET_BAD_MODEL,
                "tokenizer.map: %u blocks and %u entries, expected at most 8704 and a multiple of 128", blocks.size(),
                entries.size());
  }
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    if (blocks.data()[i] >= entries.size() / 128) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.map.blocks[%u] is %u, but there are %u blocks of entries", i,
                  blocks.data()[i], entries.size() / 128);
    }
  }
  uint32_t last = 0;  // most entries repeat
  for (uint32_t i = 0; i < entries.size(); ++i) {
    const uint32_t entry = entries.data()[i];
    if (entry != last) {
      if (const char* what = check_entry(entry, *table.expansions())) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.map.entries[%u] = %u %s", i, entry, what);
      }
      last = entry;
    }
  }
  if (const char* what = check_entry(table.rest(), *table.expansions())) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.map.rest = %u %s", table.rest(), what);
  }
  out->blocks_ = blocks.data();
  out->block_count_ = blocks.size();
  out->entries_ = entries.data();
  out->expansions_ = table.expansions()->data();
  out->rest_ = table.rest();
  return KINGLET_OK;
}

kinglet_status CharMap::check_values(const fmt::CharMap& table, const flatbuffers::Vector<uint32_t>& trie,
                                     Error& error) {
  for (uint32_t i = 0; i < trie.size(); ++i) {
    const uint32_t value = Trie::leaf_value(trie.data()[i]);
    if (!Trie::is_leaf(trie.data()[i])) {
      continue;
    }
    const char* what = value < kFirstExpansion ? "is no expansion" : check_entry(value, *table.expansions());
    if (what != nullptr) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.literals: the value %u of unit %u %s", value, i,
                  what);
    }
  }
  return KINGLET_OK;
}

bool Elements::literal(const Piece& piece, uint32_t& entry) {
  uint32_t node = piece.literals->root();
  bool found = false;
  for (size_t at = position_; at < piece.end && at - position_ < kMaxLiteral; ++at) {
    node = piece.literals->step(node, piece.source[at]);
    if (node == Trie::kNone) {
      break;
    }
    if (Trie::has_value(node)) {
      entry = piece.literals->value(node);
      // `tokenizers` aligns what replaces a string with the last character of it.
      end_ = at + 1;
      found = true;
    }
  }
  if (found) {
    for (size_t at = position_; at < end_;) {
      begin_ = at;
      decode(piece.source, end_, at);
    }
    position_ = end_;
  }
  return found;
}

bool Elements::next(const Piece& piece, Element& element) {
  while (pending_ == Pending::none) {
    if (position_ >= piece.end) {
      return false;
    }
    uint32_t entry;
    if (piece.literals == nullptr || !literal(piece, entry)) {
      begin_ = position_;
      code_point_ = decode(piece.source, piece.end, position_);
      end_ = position_;
      entry = piece.map.entry(code_point_);
    }
    if (entry <= CharMap::kPunctuation) {
      element.length = encode_utf8(code_point_, element.bytes);
      element.kind = static_cast<CharClass>(entry);
      element.combining_class = 0;
      element.continues = false;
      element.begin = begin_;
      element.end = end_;
      return true;
    }
    stage_ = 0;
    if (entry == CharMap::kHangul) {
      pending_ = Pending::hangul;
    } else if (entry == CharMap::kSpaced) {
      pending_ = Pending::spaced;
    } else if (entry != CharMap::kRemoved) {
      pending_ = Pending::expansion;
      rest_ = piece.map.expansion(entry);
    }
  }
  element.begin = begin_;
  element.end = end_;
  next_pending(element);
  return true;
}

void Elements::next_pending(Element& element) {
  if (pending_ == Pending::expansion) {
    const uint8_t header = *rest_++;
    element.length = header & kLengthBits;
    element.kind = static_cast<CharClass>(header >> 3 & 3);
    element.combining_class = header & kCombiningBit ? *rest_++ : 0;
    element.continues = (header & kContinuesBit) != 0;
    for (uint8_t i = 0; i < element.length; ++i) {
      element.bytes[i] = rest_[i];
    }
    rest_ += element.length;
    if (header & kLastBit) {
      pending_ = Pending::none;
    }
    return;
  }
  element.combining_class = 0;
  element.continues = pending_ == Pending::hangul && stage_ != 0;
  element.kind = CharClass::word;
  uint32_t code_point = code_point_;
  if (pending_ == Pending::spaced) {
    if (stage_ != 1) {
      code_point = ' ';
      element.kind = CharClass::space;
    }
    if (stage_ == 2) {
      pending_ = Pending::none;
    }
  } else {
    // Unicode 3.12, "Conjoining Jamo Behavior": 19 leading × 21 vowels × 28 trailing (the first of them none).
    const uint32_t syllable = (code_point_ - 0xac00) % 11172;
    const uint32_t trailing = syllable % 28;
    code_point = stage_ == 0 ? 0x1100 + syllable / 588 : stage_ == 1 ? 0x1161 + syllable % 588 / 28 : 0x11a7 + trailing;
    if (stage_ == 2 || (stage_ == 1 && trailing == 0)) {
      pending_ = Pending::none;
    }
  }
  ++stage_;
  element.length = encode_utf8(code_point, element.bytes);
}

bool Cursor::next_slowly(const Piece& piece, Element& element) {
  for (;;) {
    if (in_run_) {
      if (next_in_run(piece, element)) {
        ++index_;
        return true;
      }
    } else if (element.combining_class != 0 && enter_run(piece, element)) {
      continue;
    }
    if (!elements_.next(piece, element)) {
      return false;
    }
    if (element.combining_class == 0 && element.length != 0) {
      ++index_;
      return true;
    }
  }
}

// Called with the first element of a run and elements_ behind it. False, and elements_ behind the run, when all of its
// elements are dropped.
bool Cursor::enter_run(const Piece& piece, const Element& first) {
  bool kept = first.length != 0;
  uint8_t least = first.combining_class;
  Elements behind = elements_;
  Element element;
  for (Elements look = elements_; look.next(piece, element) && element.combining_class != 0; behind = look) {
    kept = kept || element.length != 0;
    least = element.combining_class < least ? element.combining_class : least;
  }
  if (!kept) {
    elements_ = behind;
    return false;
  }
  in_run_ = true;
  run_.first = first;
  run_.rest = elements_;
  run_.scan = elements_;
  run_.scan_first = true;
  run_.current = least;
  run_.following = 0;
  run_.source = elements_;
  run_.source_first = !first.continues;
  run_.begin = first.begin;
  run_.end = first.end;
  elements_ = behind;
  return true;
}

// False at the end of the run.
bool Cursor::next_in_run(const Piece& piece, Element& element) {
  for (;;) {
    bool inside = true;
    if (run_.scan_first) {
      run_.scan_first = false;
      element = run_.first;
    } else {
      inside = run_.scan.next(piece, element) && element.combining_class != 0;
    }
    if (!inside) {
      if (run_.following == 0) {
        in_run_ = false;
        return false;
      }
      run_.current = run_.following;
      run_.following = 0;
      run_.scan = run_.rest;
      run_.scan_first = true;
      continue;
    }
    const uint8_t combining_class = element.combining_class;
    if (combining_class != run_.current) {
      if (combining_class > run_.current && (run_.following == 0 || combining_class < run_.following)) {
        run_.following = combining_class;
      }
      continue;
    }
    if (!element.continues) {
      // This element stands where the next source character stood.
      if (run_.source_first) {
        run_.source_first = false;
        run_.begin = run_.first.begin;
        run_.end = run_.first.end;
      } else {
        Element other;
        while (run_.source.next(piece, other)) {
          if (!other.continues) {
            run_.begin = other.begin;
            run_.end = other.end;
            break;
          }
        }
      }
    }
    if (element.length != 0) {
      element.begin = run_.begin;
      element.end = run_.end;
      return true;
    }
  }
}

}  // namespace kinglet
