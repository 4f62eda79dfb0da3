// What one token says by itself: the decoders ByteLevel, Metaspace and WordPiece of `tokenizers`, for a single token.
#include <cstring>
#include <initializer_list>

#include "tokenizer/tokenizer.h"
#include "tokenizer/utf8.h"

namespace kinglet {
namespace {

constexpr size_t kMaxDecodedToken = 4096;  // bytes; a longer one is shown as it is
constexpr uint32_t kMark = 0x2581;  // stands for a space in SentencePiece's tokens

// The byte that a character stands for in byte-level vocabularies (GPT-2): printable bytes stand for themselves, the
// others follow one another from 256 on. -1: none.
int byte_of(uint32_t character) {
  const auto printable = [](uint32_t c) {
    return (c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255);
  };
  if (character < 256) {
    return printable(character) ? static_cast<int>(character) : -1;
  }
  uint32_t left = character - 256;
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if (!printable(byte) && left-- == 0) {
      return static_cast<int>(byte);
    }
  }
  return -1;
}

struct Writer {
  char* out;
  size_t capacity, size = 0;

  void add(uint32_t code_point) {
    uint8_t bytes[4];
    const size_t count = encode_utf8(code_point, bytes);
    if (size + count <= capacity) {
      std::memcpy(out + size, bytes, count);
    }
    size += count;
  }
};

// The bytes that the token's characters stand for; as it is when one of them stands for none.
size_t byte_level(std::string_view token, uint8_t* bytes) {
  const Source source({}, token);
  size_t count = 0;
  for (size_t at = 0; at < token.size();) {
    const int byte = byte_of(decode(source, token.size(), at));
    if (byte < 0) {
      std::memcpy(bytes, token.data(), token.size());
      return token.size();
    }
    bytes[count++] = static_cast<uint8_t>(byte);
  }
  return count;
}

}  // namespace

size_t Tokenizer::token_text(int32_t id, char* text, size_t capacity) const {
  const std::string_view token = this->token(id);
  Writer writer{text, capacity};
  if (tables_.model == fmt::TokenModel::Bpe && !tables_.bpe.marked() && token.size() <= kMaxDecodedToken) {
    uint8_t bytes[kMaxDecodedToken];
    const size_t count = byte_level(token, bytes);
    const Source source({}, std::string_view(reinterpret_cast<const char*>(bytes), count));
    for (size_t at = 0; at < count;) {
      writer.add(decode(source, count, at));
    }
    return writer.size;
  }
  const Source source({}, token);
  for (size_t at = 0; at < token.size();) {
    const uint32_t character = decode(source, token.size(), at);
    if (tables_.model == fmt::TokenModel::WordPiece || character != kMark) {
      writer.add(character);
    }
  }
  return writer.size;
}

size_t clean_up_spaces(char* text, size_t size) {
  size_t to = 0;
  for (size_t at = 0; at < size; ++at) {
    const std::string_view rest(text + at, size - at);
    if (rest.size() > 2 && rest.substr(0, 3) == " ' ") {
      text[to++] = '\'';
      at += 2;
      continue;
    }
    bool drop = false;
    for (const std::string_view mark : {" .", " ?", " !", " ,", " n't", " 'm", " 's", " 've", " 're"}) {
      drop = drop || rest.substr(0, mark.size()) == mark;
    }
    if (!drop) {
      text[to++] = text[at];
    }
  }
  return to;
}

}  // namespace kinglet
