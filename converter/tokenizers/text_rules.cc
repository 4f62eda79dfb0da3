// Normalisers one after the other into a fixed order of steps; the charsmap of SentencePiece into a trie.
#include "tokenizers/text_rules.h"

#include <algorithm>
#include <array>
#include <map>

#include "error.h"
#include "tokenizer/utf8.h"
#include "tokenizers/trie_builder.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {
namespace {

// The steps in the order in which the runtime takes them. What stands in another order in a file is refused.
enum Step {
  kLiteral,
  kEarlyLowercase,
  kStripBefore,
  kWhiteSpace,
  kDecompose,
  kAccents,
  kLowercase,
  kCompose,
  kMap,
  kStripAfter,
  kSpaces,
  kDone
};

constexpr uint8_t kStrips = Rules::kLeftBefore | Rules::kRightBefore | Rules::kLeft | Rules::kRight;

struct Reader {
  TextRules rules;
  int step = kLiteral;
  size_t count = 0;
  uint32_t prepended = 0;

  void go(const Field& field, int next, const std::string& what) {
    // More than one literal is fine.
    if (next < step || (next == step && next != kLiteral)) {
      field.fail(what + " is not implemented after the normalizers before it");
    }
    step = next;
  }
  void read(const Field& field);
  void replace(const Field& field);
  void check_prepended(const Field& field) const;
};

uint32_t one_character(const Field& field) {
  const std::string text = field.string();
  const Source source({}, text);
  size_t at = 0;
  const uint32_t c = text.empty() ? 0 : decode(source, text.size(), at);
  if (c == 0 || at != text.size()) {
    field.fail("is not implemented for other contents than one character");
  }
  return c;
}

void Reader::replace(const Field& field) {
  const Field pattern = field["pattern"];
  const uint32_t content = one_character(field["content"]);
  if (pattern.has("Regex")) {
    const std::string regex = pattern["Regex"].string();
    if (regex == " {2,}") {
      go(field, kSpaces, "Replace");
      rules.collapse = Rules::kSpaces;
    } else if (regex == "\\s{2,}|[\\n\\r\\t]") {
      go(field, kWhiteSpace, "Replace");
      rules.collapse = Rules::kWhiteSpace;
    } else {
      pattern["Regex"].fail("Replace is not implemented for the regular expression \"" + regex + "\"");
    }
    rules.space = content;
    return;
  }
  const std::string text = pattern["String"].string();
  if (text.empty() || text.size() > 16 || text.find("\xef\xbf\xbd") != std::string::npos) {
    pattern["String"].fail("Replace is implemented for strings of 1 to 16 bytes");
  }
  go(field, kLiteral, "Replace");
  // All are looked for at once: what one leaves must not be part of another, and none may overlap another.
  for (const auto& [other, character] : rules.literals) {
    std::string made;
    unicode::append_utf8(made, character);
    if (text.find(made) != std::string::npos || text.find_first_of(other) != std::string::npos) {
      pattern["String"].fail("Replace is not implemented for strings that share characters with an earlier one");
    }
  }
  rules.literals.emplace_back(text, content);
}

void Reader::read(const Field& field) {
  if (++count > 64) {
    field.fail("more than 64 normalizers are not supported");
  }
  const std::string type = field["type"].string();
  if (type == "Sequence") {
    const Field parts = field["normalizers"];
    for (size_t i = 0; i < parts.array().size(); ++i) {
      read(parts[i]);
    }
  } else if (type == "Replace") {
    replace(field);
  } else if (type == "Prepend") {
    if ((rules.strip & Rules::kPrepend) != 0) {
      field.fail("a second Prepend is not implemented");
    }
    rules.strip |= Rules::kPrepend;
    prepended = one_character(field["prepend"]);
  } else if (type == "Strip") {
    const bool left = field["strip_left"].boolean(), right = field["strip_right"].boolean();
    const bool after = step > kStripBefore;
    go(field, after ? kStripAfter : kStripBefore, type);
    rules.strip = static_cast<uint8_t>(rules.strip | (left | right << 1) << (after ? 2 : 0));
  } else if (type == "NFD" || type == "NFKD") {
    go(field, kDecompose, type);
    rules.decompose = true;
    rules.compatibility = type == "NFKD";
  } else if (type == "StripAccents") {
    go(field, kAccents, type);
    rules.strip_accents = true;
  } else if (type == "Lowercase") {
    go(field, step < kStripBefore ? kEarlyLowercase : kLowercase, type);
    rules.lowercase = true;
  } else if (type == "NFC") {
    go(field, kCompose, type);
    rules.compose = true;
  } else if (type == "Precompiled") {
    go(field, kMap, type);
    rules.charsmap = decode_base64(field["precompiled_charsmap"]);
  } else {
    field.fail("the normalizer " + type + " is not implemented for this model");
  }
  if ((rules.decompose || rules.strip_accents || rules.lowercase || !rules.literals.empty()) && rules.compose) {
    field.fail("NFC together with other normalizers of characters is not implemented");
  }
  if (rules.lowercase && rules.decompose && step == kDecompose) {
    field.fail("Lowercase before " + type + " is not implemented");
  }
}

// Prepend goes with Replace only, so that their order does not matter.
void Reader::check_prepended(const Field& field) const {
  if (prepended == 0) {
    return;
  }
  bool alone = step == kLiteral && (rules.strip & kStrips) == 0;
  for (const auto& [text, character] : rules.literals) {
    const Source source({}, text);
    size_t at = 0;
    alone = alone && decode(source, text.size(), at) != prepended && at == text.size();
  }
  if (!alone) {
    field.fail("Prepend is implemented with Replace of other single characters only");
  }
}

// A class for every code point, see CharClasses.
uint8_t class_of(uint32_t c, const std::vector<bool>& combines) {
  using namespace unicode;
  const int letter = unicode::letter(c) ? 1 : number(c) ? 2 : onig_space(c) ? 3 : 0;
  return static_cast<uint8_t>(letter | combines[c] << 2 | space(c) << 3 | cluster_part(c) << 4);
}

}  // namespace

TextRules read_text_rules(const Field& normalizer) {
  Reader reader;
  if (!normalizer.is_null()) {
    reader.read(normalizer);
    reader.check_prepended(normalizer);
  }
  if (reader.prepended != 0) {
    reader.rules.space = reader.prepended;
  }
  return reader.rules;
}

CompiledRules::CompiledRules(const TextRules& rules, const std::string& what) : rules_(rules) {
  NormalizerSettings settings{false, false, false, rules.lowercase};
  settings.decompose = rules.decompose || rules.compose;
  settings.compatibility = rules.compatibility;
  settings.strip_combining = rules.strip_accents;
  settings.classes = false;
  map_ = build_charmap(settings);
  std::map<std::string, uint32_t> literals;
  for (const auto& [text, character] : rules.literals) {
    literals.emplace(text, map_.add_expansion(character, settings));
  }
  if (!literals.empty()) {
    literals_ = build_trie(literals);
  }
  if (!rules.charsmap.empty()) {
    compile_charsmap(what);
  }
}

// A length and units as Darts-clone writes them, then texts that end with a 0. A lookup takes the shortest key
// that begins a grapheme cluster of less than 6 bytes, so that longer keys, and those behind shorter ones, do not
// count.
void CompiledRules::compile_charsmap(const std::string& what) {
  const std::string& bytes = rules_.charsmap;
  const auto word = [&](size_t at) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[at + static_cast<size_t>(i)])) << 8 * i;
    }
    return value;
  };
  if (bytes.size() < 4 || word(0) > bytes.size() - 4 || word(0) % 4 != 0 || word(0) == 0) {
    throw Error(what + ": the charsmap is cut, expected the length of its trie, the trie and its texts");
  }
  const uint32_t units = word(0) / 4;
  const std::string_view texts = std::string_view(bytes).substr(4 + word(0));
  std::map<std::string, uint32_t> keys;
  std::map<std::string, uint32_t> offsets;
  struct Node {
    std::string key;
    uint32_t base;
  };
  const auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
  std::vector<Node> nodes{{"", offset(word(4))}};
  uint64_t visited = 0;
  while (!nodes.empty()) {
    const Node node = std::move(nodes.back());
    nodes.pop_back();
    for (uint32_t byte = 1; byte < 256; ++byte) {
      const uint32_t at = node.base ^ byte;
      if (at >= units) {
        continue;
      }
      const uint32_t unit = word(4 + 4 * size_t{at});
      if ((unit & (1u << 31 | 0xff)) != byte) {
        continue;
      }
      if (++visited > units) {
        throw Error(what + ": the charsmap's trie has a cycle");
      }
      const std::string key = node.key + static_cast<char>(byte);
      const uint32_t base = at ^ offset(unit);
      if ((unit & 1 << 8) == 0) {
        if (key.size() < 5) {
          nodes.push_back({key, base});
        }
        continue;
      }
      const uint32_t value = base < units ? word(4 + 4 * size_t{base}) & 0x7fffffff : UINT32_MAX;
      if (value > texts.size()) {
        throw Error(what + ": the charsmap's trie has a value beyond its texts");
      }
      const std::string text(texts.substr(value, texts.find('\0', value) - value));
      if (text.size() > 255 || !valid_utf8(reinterpret_cast<const uint8_t*>(text.data()), text.size())) {
        throw Error(what + ": the charsmap has a text that is not UTF-8 or longer than 255 bytes");
      }
      const auto [place, fresh] = offsets.emplace(text, static_cast<uint32_t>(charsmap_text_.size()));
      if (fresh) {
        charsmap_text_.push_back(static_cast<uint8_t>(text.size()));
        charsmap_text_.insert(charsmap_text_.end(), text.begin(), text.end());
      }
      keys.emplace(key, place->second);
    }
  }
  charsmap_ = build_trie(keys);
}

flatbuffers::Offset<fmt::Rules> CompiledRules::write(flatbuffers::FlatBufferBuilder& builder) const {
  const std::vector<bool> combines = rules_.compose ? unicode::combines() : std::vector<bool>(0x110000);
  std::map<std::array<uint8_t, 128>, uint16_t> places;
  std::vector<uint16_t> blocks;
  std::vector<uint8_t> classes;
  for (uint32_t block = 0; block < 0x110000 / 128; ++block) {
    std::array<uint8_t, 128> entries;
    for (uint32_t i = 0; i < 128; ++i) {
      entries[i] = class_of(block * 128 + i, combines);
    }
    const auto [at, fresh] = places.emplace(entries, static_cast<uint16_t>(places.size()));
    if (fresh) {
      classes.insert(classes.end(), entries.begin(), entries.end());
    }
    blocks.push_back(at->second);
  }
  const auto none = std::array<uint8_t, 128>{};
  while (!blocks.empty() && places.count(none) != 0 && blocks.back() == places[none]) {
    blocks.pop_back();
  }
  const auto table = fmt::CreateCharClasses(builder, builder.CreateVector(blocks), builder.CreateVector(classes), 0);
  flatbuffers::Offset<flatbuffers::Vector<uint32_t>> literals, charsmap;
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> charsmap_text;
  flatbuffers::Offset<flatbuffers::Vector<const fmt::Composition*>> compositions;
  if (!literals_.empty()) {
    literals = builder.CreateVector(literals_);
  }
  if (!charsmap_.empty()) {
    charsmap = builder.CreateVector(charsmap_);
    charsmap_text = builder.CreateVector(charsmap_text_);
  }
  if (rules_.compose) {
    std::vector<fmt::Composition> pairs;
    for (const auto& pair : unicode::compositions()) {
      pairs.emplace_back(pair[0], pair[1], pair[2]);
    }
    compositions = builder.CreateVectorOfStructs(pairs);
  }
  return fmt::CreateRules(builder, table, literals, compositions, charsmap, charsmap_text, rules_.strip,
                          rules_.collapse, rules_.space, rules_.trim);
}

RulesNormalizer::RulesNormalizer(const CompiledRules& rules) {
  map_builder_.Finish(rules.map().write(map_builder_));
  builder_.Finish(rules.write(builder_));
  kinglet::Error error;
  const auto& map = *flatbuffers::GetRoot<fmt::CharMap>(map_builder_.GetBufferPointer());
  if (CharMap::open(map, &map_, error) != KINGLET_OK ||
      Rules::open(*flatbuffers::GetRoot<fmt::Rules>(builder_.GetBufferPointer()), map, &rules_, error) != KINGLET_OK) {
    throw Error(error.message);
  }
}

std::string RulesNormalizer::operator()(std::string_view text) const {
  const Source source({}, text);
  size_t begin = 0, end = source.size;
  strip_piece(source, rules_, begin, end);
  const Piece piece{source, map_, end, &rules_, rules_.has_literals() ? &rules_.literals() : nullptr};
  Characters characters(begin);
  Element element;
  std::string result;
  while (characters.next(piece, element)) {
    result.append(reinterpret_cast<const char*>(element.bytes), element.length);
  }
  return result;
}

}  // namespace kinglet::convert
