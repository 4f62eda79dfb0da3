// One pass over all code points; equal expansions and equal blocks are stored once.
#include "tokenizers/charmap.h"

#include <array>
#include <map>

#include "error.h"
#include "tokenizers/unicode.h"

namespace kinglet::convert {
namespace {

enum Class : uint8_t { kWord = 0, kSpace = 1, kPunctuation = 2 };

Class class_of(uint32_t code_point, const NormalizerSettings& settings) {
  return !settings.classes                  ? kWord
         : unicode::space(code_point)       ? kSpace
         : unicode::punctuation(code_point) ? kPunctuation
                                            : kWord;
}

// The elements of a code point in the encoding of tokenizer.fbs.
std::string expand(uint32_t code_point, const NormalizerSettings& settings) {
  std::vector<uint32_t> text{settings.clean_text && unicode::to_space(code_point) ? ' ' : code_point};
  if (settings.chinese_chars && unicode::chinese(text[0])) {
    text = {' ', text[0], ' '};
  }
  std::string elements;
  size_t last_header = 0;
  const auto add = [&](uint32_t c, bool keep, uint8_t combining_class, bool continues) {
    std::string bytes;
    if (keep) {
      unicode::append_utf8(bytes, c);
    }
    last_header = elements.size();
    elements +=
        static_cast<char>(bytes.size() | class_of(c, settings) << 3 | (combining_class != 0) << 5 | continues << 6);
    if (combining_class != 0) {
      elements += static_cast<char>(combining_class);
    }
    elements += bytes;
  };
  for (const uint32_t spaced : text) {
    bool continues = false;
    const bool decompose = settings.strip_accents || settings.decompose;
    const auto parts = !decompose               ? std::vector<uint32_t>{spaced}
                       : settings.compatibility ? unicode::decompose_compatible(spaced)
                                                : unicode::decompose(spaced);
    for (const uint32_t part : parts) {
      const uint8_t combining_class = decompose ? unicode::combining_class(part) : 0;
      if ((settings.strip_accents && unicode::mark(part)) || (settings.strip_combining && unicode::combining(part))) {
        add(part, false, combining_class, continues);
        continues = true;
        continue;
      }
      for (const uint32_t c : settings.lowercase ? unicode::lower(part) : std::vector<uint32_t>{part}) {
        add(c, true, combining_class, continues);
        continues = true;
      }
    }
  }
  elements[last_header] = static_cast<char>(elements[last_header] | 1 << 7);
  return elements;
}

}  // namespace

CharMapTables build_charmap(const NormalizerSettings& settings) {
  CharMapTables tables;
  std::map<std::string, uint16_t> expansions;
  std::map<std::array<uint16_t, 128>, uint16_t> blocks;
  const auto entry_of = [&](uint32_t c) -> uint16_t {
    if (unicode::ordinary(c) && !(settings.compatibility && unicode::compatible(c)) &&
        !(settings.strip_combining && unicode::combining(c))) {
      return CharMap::kWord;
    }
    if (settings.clean_text && unicode::removed(c)) {
      return CharMap::kRemoved;
    }
    if ((settings.strip_accents || settings.decompose) && c >= unicode::kHangulFirst && c <= unicode::kHangulLast) {
      return CharMap::kHangul;
    }
    const std::string expansion = expand(c, settings);
    std::string same;
    unicode::append_utf8(same, c);
    const char header = static_cast<char>(same.size() | class_of(c, settings) << 3 | 1 << 7);
    if (expansion == header + same) {
      return class_of(c, settings);
    }
    // A space, the word character itself, a space.
    const char word_header = static_cast<char>(same.size());
    if (expansion == std::string("\x09 ") + word_header + same + "\x89 ") {
      return CharMap::kSpaced;
    }
    const auto [at, fresh] = expansions.emplace(expansion, 0);
    if (fresh) {
      const size_t entry = CharMap::kFirstExpansion + tables.expansions.size();
      if (entry > 0xffff) {
        throw Error("the Unicode tables have too many expansions for a .kgl file");
      }
      at->second = static_cast<uint16_t>(entry);
      tables.expansions.insert(tables.expansions.end(), expansion.begin(), expansion.end());
    }
    return at->second;
  };
  for (uint32_t block = 0; block < 0x110000 / 128; ++block) {
    std::array<uint16_t, 128> entries;
    for (uint32_t i = 0; i < 128; ++i) {
      entries[i] = entry_of(block * 128 + i);
    }
    const auto [at, fresh] = blocks.emplace(entries, static_cast<uint16_t>(blocks.size()));
    if (fresh) {
      tables.entries.insert(tables.entries.end(), entries.begin(), entries.end());
    }
    tables.blocks.push_back(at->second);
  }
  // Blocks at the end that are one and the same entry throughout become `rest`.
  tables.rest = tables.entries[tables.blocks.back() * 128 + 127];
  while (!tables.blocks.empty()) {
    const uint16_t* entries = &tables.entries[tables.blocks.back() * 128];
    for (uint32_t i = 0; i < 128; ++i) {
      if (entries[i] != tables.rest) {
        return tables;
      }
    }
    tables.blocks.pop_back();
  }
  return tables;
}

uint32_t CharMapTables::add_expansion(uint32_t code_point, const NormalizerSettings& settings) {
  const std::string expansion = expand(code_point, settings);
  const size_t entry = CharMap::kFirstExpansion + expansions.size();
  if (entry > 0xffff) {
    throw Error("the Unicode tables have too many expansions for a .kgl file");
  }
  expansions.insert(expansions.end(), expansion.begin(), expansion.end());
  return static_cast<uint32_t>(entry);
}

flatbuffers::Offset<fmt::CharMap> CharMapTables::write(flatbuffers::FlatBufferBuilder& builder) const {
  return fmt::CreateCharMap(builder, builder.CreateVector(blocks), builder.CreateVector(entries),
                            builder.CreateVector(expansions), rest);
}

TextNormalizer::TextNormalizer(const CharMapTables& tables) {
  builder_.Finish(tables.write(builder_));
  kinglet::Error error;
  if (CharMap::open(*flatbuffers::GetRoot<fmt::CharMap>(builder_.GetBufferPointer()), &map_, error) != KINGLET_OK) {
    throw Error(error.message);
  }
}

std::string TextNormalizer::operator()(std::string_view text) const {
  const Source source({}, text);
  const Piece piece{source, map_, source.size};
  Cursor cursor(0);
  Element element;
  std::string result;
  while (cursor.next(piece, element)) {
    result.append(reinterpret_cast<const char*>(element.bytes), element.length);
  }
  return result;
}

}  // namespace kinglet::convert
