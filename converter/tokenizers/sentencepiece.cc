// Protocol buffers: a message is a sequence of keys (field number · 8 + wire type, a varint) and values.
#include "tokenizers/sentencepiece.h"

#include <cstring>
#include <string_view>

#include "error.h"
#include "tokenizer/utf8.h"

namespace kinglet::convert {
namespace {

constexpr size_t kMaxPieces = size_t{1} << 22;

// Walks over the fields of one message.
class Message {
 public:
  Message(const std::string& file, std::string_view bytes) : file_(file), bytes_(bytes) {}

  // Goes to the next field. False at the end.
  bool next() {
    if (at_ == bytes_.size()) {
      return false;
    }
    const uint64_t key = varint();
    number_ = key >> 3;
    wire_ = static_cast<int>(key & 7);
    switch (wire_) {
      case 0:
        value_ = varint();
        break;
      case 1:
        text_ = take(8);
        break;
      case 2:
        text_ = take(varint());
        break;
      case 5:
        text_ = take(4);
        break;
      default:
        fail();
    }
    return true;
  }
  uint64_t number() const { return number_; }
  uint64_t value() const { return want(0), value_; }
  std::string_view text() const { return want(2), text_; }
  float real() const {
    want(5);
    uint32_t bits = 0;
    for (size_t i = 0; i < 4; ++i) {
      bits |= static_cast<uint32_t>(static_cast<unsigned char>(text_[i])) << 8 * i;
    }
    float result;
    std::memcpy(&result, &bits, sizeof(result));
    return result;
  }

 private:
  [[noreturn]] void fail() const { throw Error(file_ + ": is not a SentencePiece model: its protobuf is damaged"); }
  void want(int wire) const {
    if (wire_ != wire) {
      fail();
    }
  }
  std::string_view take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      fail();
    }
    at_ += static_cast<size_t>(count);
    return bytes_.substr(at_ - static_cast<size_t>(count), static_cast<size_t>(count));
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= shift < 64 ? static_cast<uint64_t>(byte & 0x7f) << shift : 0;
      if (byte < 0x80) {
        return value;
      }
    }
    fail();
  }

  const std::string& file_;
  std::string_view bytes_;
  size_t at_ = 0;
  uint64_t number_ = 0, value_ = 0;
  int wire_ = 0;
  std::string_view text_;
};

}  // namespace

SentencePieceModel read_sentencepiece(const std::string& file, const std::string& bytes) {
  SentencePieceModel model;
  for (Message root(file, bytes); root.next();) {
    if (root.number() == 1) {
      SentencePieceModel::Piece piece;
      for (Message part(file, root.text()); part.next();) {
        if (part.number() == 1) {
          piece.text = part.text();
        } else if (part.number() == 2) {
          piece.score = part.real();
        } else if (part.number() == 3) {
          piece.type = part.value();
        }
      }
      if (!valid_utf8(reinterpret_cast<const uint8_t*>(piece.text.data()), piece.text.size())) {
        throw Error(file + ": piece " + std::to_string(model.pieces.size()) + " is not UTF-8");
      }
      if (model.pieces.size() == kMaxPieces) {
        throw Error(file + ": has more than " + std::to_string(kMaxPieces) + " pieces");
      }
      model.pieces.push_back(std::move(piece));
    } else if (root.number() == 2) {
      for (Message part(file, root.text()); part.next();) {
        if (part.number() == 3) {
          model.model_type = part.value();
        } else if (part.number() == 40) {
          model.unknown = static_cast<int64_t>(part.value());
        } else if (part.number() == 45) {
          model.unknown_piece = part.text();
        }
      }
    } else if (root.number() == 3) {
      for (Message part(file, root.text()); part.next();) {
        if (part.number() == 2) {
          model.charsmap = part.text();
        }
      }
    }
  }
  if (model.pieces.empty()) {
    throw Error(file + ": is not a SentencePiece model: it has no pieces");
  }
  return model;
}

}  // namespace kinglet::convert
