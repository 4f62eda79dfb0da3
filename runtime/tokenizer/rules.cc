// Checks the rules, and looks things up in them.
#include "tokenizer/rules.h"

#include "tokenizer/utf8.h"

namespace kinglet {
namespace {

constexpr uint32_t kCodePoints = 0x110000;
// Hangul syllables, Unicode 3.12: 19 leading, 21 vowels, 27 trailing consonants.
constexpr uint32_t kLeadingFirst = 0x1100, kVowelFirst = 0x1161, kTrailingBefore = 0x11a7, kSyllableFirst = 0xac00;

bool is_character(uint32_t c) {
  return c < kCodePoints && (c < 0xd800 || c > 0xdfff);
}

}  // namespace

kinglet_status CharClasses::open(const fmt::CharClasses& table, CharClasses* out, Error& error) {
  const auto& blocks = *table.blocks();
  const auto& classes = *table.classes();
  if (blocks.size() > kCodePoints / 128 || classes.size() % 128 != 0) {
    return fail(error, KINGLET_BAD_MODEL,
                "tokenizer.model.rules.classes: %u blocks and %u classes, expected at most 8704 and a multiple of 128",
                blocks.size(), classes.size());
  }
  for (uint32_t i = 0; i < blocks.size(); ++i) {
    if (blocks.data()[i] >= classes.size() / 128) {
      return fail(error, KINGLET_BAD_MODEL,
                  "tokenizer.model.rules.classes.blocks[%u] is %u, but there are %u blocks of classes", i,
                  blocks.data()[i], classes.size() / 128);
    }
  }
  out->blocks_ = blocks.data();
  out->block_count_ = blocks.size();
  out->classes_ = classes.data();
  out->rest_ = table.rest();
  return KINGLET_OK;
}

kinglet_status Rules::open(const fmt::Rules& table, const fmt::CharMap& map, Rules* out, Error& error) {
  Rules rules;
  KINGLET_TRY(CharClasses::open(*table.classes(), &rules.classes_, error));
  if (table.literals() != nullptr) {
    KINGLET_TRY(Trie::open(*table.literals(), 1 << 16, "model.rules.literals", &rules.literals_, error));
    KINGLET_TRY(CharMap::check_values(map, *table.literals(), error));
    if (Trie::has_value(rules.literals_.root())) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.literals: a literal must not be empty");
    }
    rules.has_literals_ = true;
  }
  if (table.compositions() != nullptr) {
    const auto& compositions = *table.compositions();
    for (uint32_t i = 0; i < compositions.size(); ++i) {
      const fmt::Composition& now = *compositions.Get(i);
      if (!is_character(now.first()) || !is_character(now.second()) || !is_character(now.composite())) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.compositions[%u] names what is no character", i);
      }
      const fmt::Composition& before = *compositions.Get(i == 0 ? 0 : i - 1);
      if (i > 0 &&
          (now.first() < before.first() || (now.first() == before.first() && now.second() <= before.second()))) {
        return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.compositions[%u] is out of order", i);
      }
    }
    rules.compositions_ = compositions.size() != 0 ? compositions.Get(0) : nullptr;
    rules.composition_count_ = compositions.size();
  }
  KINGLET_TRY(rules.open_charsmap(table, error));
  if (table.strip() > 31 || table.collapse() > kWhiteSpace || table.trim() > 3) {
    return fail(error, KINGLET_UNSUPPORTED, "tokenizer.model.rules: strip %u, collapse %u or trim %u is unknown",
                table.strip(), table.collapse(), table.trim());
  }
  if (!is_character(table.space()) || table.space() == 0) {
    return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.space is %u, expected a character", table.space());
  }
  rules.strip_ = table.strip();
  rules.collapse_ = table.collapse();
  rules.space_ = table.space();
  rules.trim_ = table.trim();
  rules.identity_ = map.blocks()->size() == 0 && map.rest() == 0 && !rules.has_literals_ && !rules.composes() &&
                    !rules.has_charsmap_ && rules.strip_ == 0 && rules.collapse_ == 0;
  *out = rules;
  return KINGLET_OK;
}

kinglet_status Rules::open_charsmap(const fmt::Rules& table, Error& error) {
  if (table.charsmap() == nullptr) {
    return KINGLET_OK;
  }
  const uint8_t* text = table.charsmap_text() != nullptr ? table.charsmap_text()->data() : nullptr;
  const uint32_t size = table.charsmap_text() != nullptr ? table.charsmap_text()->size() : 0;
  KINGLET_TRY(Trie::open(*table.charsmap(), size, "model.rules.charsmap", &charsmap_, error));
  const auto& units = *table.charsmap();
  for (uint32_t i = 0; i < units.size(); ++i) {
    if (!Trie::is_leaf(units.data()[i])) {
      continue;
    }
    const uint32_t at = Trie::leaf_value(units.data()[i]);
    const size_t length = text[at];
    if (length > size - at - 1) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.charsmap_text ends inside the text at %u", at);
    }
    if (!valid_utf8(text + at + 1, length)) {
      return fail(error, KINGLET_BAD_MODEL, "tokenizer.model.rules.charsmap_text at %u is not UTF-8", at);
    }
  }
  charsmap_text_ = text;
  has_charsmap_ = true;
  return KINGLET_OK;
}

uint32_t Rules::compose(uint32_t first, uint32_t second) const {
  if (first - kLeadingFirst < 19 && second - kVowelFirst < 21) {
    return kSyllableFirst + ((first - kLeadingFirst) * 21 + (second - kVowelFirst)) * 28;
  }
  if (first - kSyllableFirst < 11172 && (first - kSyllableFirst) % 28 == 0 && second - kTrailingBefore - 1 < 27) {
    return first + (second - kTrailingBefore);
  }
  uint32_t low = 0, high = composition_count_;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    const fmt::Composition& entry = compositions_[middle];
    if (entry.first() < first || (entry.first() == first && entry.second() < second)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const bool found =
      low < composition_count_ && compositions_[low].first() == first && compositions_[low].second() == second;
  return found ? compositions_[low].composite() : 0;
}

const uint8_t* Rules::mapped(const uint8_t* bytes, size_t count, uint32_t* length) const {
  uint32_t node = charsmap_.root();
  for (size_t i = 0; i < count; ++i) {
    node = charsmap_.step(node, bytes[i]);
    if (node == Trie::kNone) {
      return nullptr;
    }
    if (Trie::has_value(node)) {
      const uint8_t* text = charsmap_text_ + charsmap_.value(node);
      *length = text[0];
      return text + 1;
    }
  }
  return nullptr;
}

}  // namespace kinglet
