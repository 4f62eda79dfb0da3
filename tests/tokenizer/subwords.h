// Test helper: small BPE and Unigram tokenizers made in memory, and their tables with any one number replaced.
#pragma once

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "compiled.h"
#include "tokenizers/auto_tokenizer.h"
#include "tokenizers/unicode.h"

namespace kinglet::test {

using Merges = std::vector<std::pair<std::string, std::string>>;

// Ids 0 to 255 are the bytes in the order of their code points' letters; then one token for each merge.
inline convert::LoadedTokenizer make_bpe(const Merges& merges) {
  convert::LoadedTokenizer loaded;
  convert::SourceTokenizer& tokenizer = loaded.tokenizer;
  uint32_t other = 256, id = 0;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    std::string letter;
    convert::unicode::append_utf8(letter, printable ? byte : other++);
    tokenizer.vocabulary.emplace(letter, id++);
  }
  for (const auto& [left, right] : merges) {
    if (tokenizer.vocabulary.emplace(left + right, id).second) {
      ++id;
    }
  }
  tokenizer.bpe.emplace();
  tokenizer.bpe->merges = merges;
  tokenizer.single = {{-1, 0}};
  tokenizer.pair = {{-1, 0}, {-2, 1}};
  return loaded;
}

// The first piece is the unknown token.
inline convert::LoadedTokenizer make_unigram(const std::vector<std::pair<std::string, double>>& pieces) {
  convert::LoadedTokenizer loaded;
  loaded.tokenizer.unigram.emplace();
  loaded.tokenizer.unigram->pieces = pieces;
  loaded.tokenizer.unigram->unknown = 0;
  loaded.tokenizer.vocabulary = convert::vocabulary_of(*loaded.tokenizer.unigram);
  loaded.tokenizer.single = {{-1, 0}};
  loaded.tokenizer.pair = {{-1, 0}, {-2, 1}};
  return loaded;
}

// A charsmap as SentencePiece stores it: keys of any bytes, and what they become.
inline std::string make_charsmap(const std::map<std::string, std::string>& map) {
  std::vector<uint32_t> units(256);
  std::string texts;
  uint32_t blocks = 1;
  std::map<std::string, uint32_t> nodes;  // prefixes and their units
  const auto base_of = [&](uint32_t unit) {
    const uint32_t at = units[unit] >> 10;
    if (at != 0) {
      return unit ^ at;
    }
    const uint32_t base = 256 * blocks++;
    units.resize(256 * size_t{blocks});
    units[unit] |= (unit ^ base) << 10;
    return base;
  };
  for (const auto& [key, text] : map) {
    uint32_t unit = 0;
    for (const char c : key) {
      const auto byte = static_cast<unsigned char>(c);
      const uint32_t child = base_of(unit) ^ byte;
      units[child] |= byte;
      unit = child;
    }
    const uint32_t base = base_of(unit);
    units[unit] |= 1 << 8;
    units[base] = 1u << 31 | static_cast<uint32_t>(texts.size());
    texts += text + '\0';
  }
  std::string bytes;
  const auto put = [&](uint32_t word) {
    for (int i = 0; i < 4; ++i) {
      bytes += static_cast<char>(word >> 8 * i);
    }
  };
  put(static_cast<uint32_t>(4 * units.size()));
  for (const uint32_t unit : units) {
    put(unit);
  }
  return bytes + texts;
}

// A table of a tokenizer that can be changed in place.
class Changed {
 public:
  explicit Changed(const Compiled& compiled)
      : count_(compiled.compiled().size()), bytes_(compiled.bytes().size() / 8 + 1) {
    std::memcpy(bytes_.data(), compiled.bytes().data(), compiled.bytes().size());
  }

  const fmt::Tokenizer& table() const { return *flatbuffers::GetRoot<fmt::Tokenizer>(bytes_.data()); }
  const fmt::Bpe& bpe() const { return *table().model_as_Bpe(); }
  const fmt::Unigram& unigram() const { return *table().model_as_Unigram(); }
  const fmt::Rules& rules() const {
    return table().model_as_Bpe() != nullptr ? *bpe().rules() : *unigram().rules();
  }

  template <typename T>
  Changed& at(const flatbuffers::Vector<T>* vector, uint32_t index, T value) {
    std::memcpy(const_cast<uint8_t*>(vector->Data()) + index * sizeof(T), &value, sizeof(T));
    return *this;
  }
  template <typename S>
  Changed& at(const flatbuffers::Vector<const S*>* vector, uint32_t index, const S& value) {
    std::memcpy(const_cast<uint8_t*>(vector->Data()) + index * sizeof(S), &value, sizeof(S));
    return *this;
  }
  // Makes a vector shorter.
  template <typename T>
  Changed& cut(const flatbuffers::Vector<T>* vector, uint32_t size) {
    std::memcpy(const_cast<uint8_t*>(vector->Data()) - sizeof(size), &size, sizeof(size));
    return *this;
  }
  // Replaces a number that is not its field's default.
  template <typename T, typename Table>
  Changed& field(const Table& table, flatbuffers::voffset_t offset, T value) {
    auto& raw = const_cast<flatbuffers::Table&>(reinterpret_cast<const flatbuffers::Table&>(table));
    if (!raw.SetField<T>(offset, value, T{})) {
      throw std::runtime_error("the field has its default");
    }
    return *this;
  }

  // The message of opening it, "" when that succeeds.
  std::string message() const {
    Tokenizer tokenizer;
    Error error;
    return Tokenizer::open(table(), count_, 0, &tokenizer, error) == KINGLET_OK ? "" : error.message;
  }

 private:
  uint32_t count_;
  std::vector<uint64_t> bytes_;  // aligned
};

}  // namespace kinglet::test
