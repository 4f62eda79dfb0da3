// The loops over pieces, words and pieces of words. Two paths give the same tokens: a general one that pulls characters
// from a Cursor, and one for words of plain ASCII, which reads each byte through a table of 128.
//
// Time: a word is cut into its longest matching tokens from left to right. Every step of a match begins at another
// character and looks ahead no further than the longest token of the vocabulary, so the work per character is bounded
// by a constant of the model, however long the word is.
#include "tokenizer/encoder.h"

#include <limits>

#include "tokenizer/margins.h"

namespace kinglet {
namespace {

constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

class TextEncoder {
 public:
  TextEncoder(const EncoderTables& tables, const Source& source, TextOutput& output)
      : tables_(tables), source_(source), output_(output) {}

  void run();

 private:
  bool piece(size_t begin, size_t end);
  bool words(const Piece& piece, Cursor cursor, uint64_t end);
  bool word(const Piece& piece, Cursor& cursor, uint64_t end);
  bool plain_words(const Piece& piece, size_t& position);
  void plain_word(const uint8_t* bytes, size_t length, size_t begin);

  const EncoderTables& tables_;
  const Source& source_;
  TextOutput& output_;
};

void TextEncoder::run() {
  const Piece whole{source_, tables_.map, source_.size};
  if (tables_.raw_tokens.empty()) {
    piece(0, source_.size);
    return;
  }
  AddedTokenSearch<RawCursor> search(tables_.raw_tokens, tables_.neighbours, whole, RawCursor(0));
  while (search.next()) {
    if (search.text().position() < search.start().position() &&
        !piece(search.text().position(), search.start().position())) {
      return;
    }
    size_t begin, end;
    if (search.range(begin, end)) {
      trim(tables_, source_, margins_of(tables_, whole, search), output_.count == 0, begin, end);
      ++output_.word;
      output_.add(search.id(), begin, end);
    }
    if (output_.full()) {
      return;
    }
    search.consume();
  }
  piece(search.text().position(), source_.size);
}

// The text between two tokens found in the raw text. The functions from here on return false when the output is full.
bool TextEncoder::piece(size_t begin, size_t end) {
  const Piece piece{source_, tables_.map, end};
  if (tables_.normalized_tokens.empty()) {
    return words(piece, Cursor(begin), kNoEnd);
  }
  AddedTokenSearch<Cursor> search(tables_.normalized_tokens, tables_.neighbours, piece, Cursor(begin));
  while (search.next()) {
    if (search.text().index() < search.start().index() && !words(piece, search.text(), search.start().index())) {
      return false;
    }
    size_t match_begin, match_end;
    if (search.range(match_begin, match_end)) {
      trim(tables_, source_, margins_of(tables_, piece, search), output_.count == 0, match_begin, match_end);
      ++output_.word;
      output_.add(search.id(), match_begin, match_end);
    }
    if (output_.full()) {
      return false;
    }
    search.consume();
  }
  return words(piece, search.text(), kNoEnd);
}

// The words from `cursor` to the normalised character number `end`.
bool TextEncoder::words(const Piece& piece, Cursor cursor, uint64_t end) {
  while (cursor.index() < end) {
    if (end == kNoEnd && cursor.at_code_point()) {
      size_t position = cursor.position();
      if (!plain_words(piece, position)) {
        return false;
      }
      if (position == piece.end) {
        return true;
      }
      if (position != cursor.position()) {
        cursor = Cursor(position);
      }
    }
    Cursor behind = cursor;
    Element element;
    if (!behind.next(piece, element)) {
      return true;
    }
    if (element.kind == CharClass::space) {
      cursor = behind;
    } else if (!word(piece, cursor, end)) {
      return false;
    }
  }
  return true;
}

// The word that begins at `cursor`, which moves behind it.
bool TextEncoder::word(const Piece& piece, Cursor& cursor, uint64_t end) {
  ++output_.word;
  const size_t tokens_before = output_.count;
  size_t word_begin = 0, word_end = 0;
  uint64_t chars = 0;
  bool punctuation = false;
  bool good = true;
  Element element;
  for (bool first = true;; first = false) {
    Cursor walk = cursor;
    Cursor behind_best = cursor;
    uint32_t node = first ? tables_.pieces.root() : tables_.continuation;
    uint32_t best = Trie::kNone;
    uint64_t seen = 0, best_chars = 0;
    size_t begin = 0, best_end = 0;
    while (walk.index() < end && !(punctuation && !first) && walk.next(piece, element)) {
      if (element.kind != CharClass::word && !(first && seen == 0)) {
        break;
      }
      if (seen++ == 0) {
        begin = element.begin;
        if (first) {
          word_begin = begin;
          punctuation = element.kind == CharClass::punctuation;
        } else if (!tables_.has_continuation) {
          break;
        }
      }
      node = tables_.pieces.step(node, element.bytes, element.length);
      if (node == Trie::kNone) {
        break;
      }
      if (Trie::has_value(node)) {
        best = node;
        best_chars = seen;
        best_end = element.end;
        behind_best = walk;
      }
      if (punctuation) {
        break;
      }
    }
    if (seen == 0) {
      break;  // the word is at its end
    }
    chars += best_chars;
    if (best == Trie::kNone || chars > tables_.max_word_chars) {
      good = false;
      break;
    }
    output_.add(tables_.pieces.value(best), begin, best_end);
    cursor = behind_best;
  }
  if (!good) {
    output_.count = tokens_before;
    bool inside = false;
    for (Cursor behind = cursor; behind.index() < end && behind.next(piece, element); cursor = behind) {
      // The first element may be the punctuation that is the word, or the first one of it.
      if (element.kind != CharClass::word && !(punctuation && !inside)) {
        break;
      }
      inside = true;
      word_end = element.end;
      if (punctuation) {
        cursor = behind;
        break;
      }
    }
    output_.add(tables_.unknown, word_begin, word_end);
  }
  return !output_.full();
}

// Words of plain ASCII, up to the first that is not, to the end of the piece, or to where a prefix meets its text.
bool TextEncoder::plain_words(const Piece& piece, size_t& position) {
  size_t end;
  const AsciiTable& ascii = tables_.ascii;
  while (position < piece.end) {
    const uint8_t* bytes = source_.segment(position, &end);
    const size_t left = (end < piece.end ? end : piece.end) - position;
    const bool to_the_end = position + left == piece.end;
    size_t at = 0;
    while (at < left) {
      const uint8_t byte = bytes[at];
      const uint8_t kind = byte < 0x80 ? ascii.kind[byte] : AsciiTable::kOther;
      if (kind == static_cast<uint8_t>(CharClass::space)) {
        ++at;
        continue;
      }
      size_t stop = at + 1;
      if (kind == static_cast<uint8_t>(CharClass::word)) {
        while (stop < left && bytes[stop] < 0x80 && ascii.kind[bytes[stop]] == 0) {
          ++stop;
        }
        // What follows may belong to the word, or vanish and let the next character do so.
        if (stop < left ? bytes[stop] >= 0x80 || ascii.kind[bytes[stop]] == AsciiTable::kOther : !to_the_end) {
          position += at;
          return true;
        }
      } else if (kind == AsciiTable::kOther) {
        position += at;
        return true;
      }
      plain_word(bytes + at, stop - at, position + at);
      if (output_.full()) {
        return false;
      }
      at = stop;
    }
    position += left;
  }
  return true;
}

void TextEncoder::plain_word(const uint8_t* bytes, size_t length, size_t begin) {
  ++output_.word;
  const size_t tokens_before = output_.count;
  bool good = length <= tables_.max_word_chars;
  uint32_t node = tables_.pieces.root();
  for (size_t at = 0; good && at < length;) {
    uint32_t best = Trie::kNone;
    size_t best_end = at;
    for (size_t i = at; i < length; ++i) {
      node = tables_.pieces.step(node, tables_.ascii.byte[bytes[i]]);
      if (node == Trie::kNone) {
        break;
      }
      if (Trie::has_value(node)) {
        best = node;
        best_end = i + 1;
      }
    }
    if (best == Trie::kNone) {
      good = false;
      break;
    }
    output_.add(tables_.pieces.value(best), begin + at, begin + best_end);
    at = best_end;
    node = tables_.continuation;
    good = at == length || tables_.has_continuation;
  }
  if (!good) {
    output_.count = tokens_before;
    output_.add(tables_.unknown, begin, begin + length);
  }
}

}  // namespace

void encode_text(const EncoderTables& tables, const Source& source, TextOutput& output) {
  if (tables.model == fmt::TokenModel::WordPiece) {
    TextEncoder(tables, source, output).run();
  } else {
    encode_subwords(tables, source, output);
  }
}

}  // namespace kinglet
