// The loops over pieces and words for the models other than WordPiece.
#include <limits>
#include <type_traits>

#include "tokenizer/bpe.h"
#include "tokenizer/byte_words.h"
#include "tokenizer/encoder.h"
#include "tokenizer/margins.h"
#include "tokenizer/marked_words.h"
#include "tokenizer/unigram.h"

namespace kinglet {
namespace {

constexpr uint64_t kCheckpoint = 4096;  // characters
constexpr uint64_t kNoEnd = std::numeric_limits<uint64_t>::max();

class SubwordEncoder {
 public:
  SubwordEncoder(const EncoderTables& tables, const Source& source, TextOutput& output, BpeWindow& window,
                 UnigramWindow& unigram)
      : tables_(tables), source_(source), output_(output), window_(window), unigram_(unigram) {}

  void run();

 private:
  // All of these return false when no more tokens are wanted.
  bool piece(size_t begin, size_t end);
  template <typename Stream>
  bool parts(const Piece& piece, const Stream& begin);
  bool may_match(const Piece& piece, size_t begin) const;
  bool words(const Piece& piece, const RawCursor& begin, const RawCursor* end);
  bool words(const Piece& piece, const Characters& begin, const Characters* end);
  bool words(const Piece& piece, const Characters& begin, uint64_t end);
  bool pieces(MarkedWords& words, bool& is_long);
  bool long_pieces(const MarkedWords& checkpoint, uint64_t passed, MarkedWords& words);
  bool path();
  bool end_unknown();
  bool merged(ByteWords* bytes, MarkedWords* marked);
  bool long_word(ByteWords* bytes, MarkedWords* marked);
  bool fill(MarkedWords& words);
  template <typename Stream>
  bool added(const Piece& piece, const AddedTokenSearch<Stream>& search);
  bool tokens(uint32_t from, uint32_t to);
  bool token(uint32_t id, uint32_t from, uint32_t to);
  bool add(uint32_t id, size_t begin, size_t end, const Margins& margins);

  const EncoderTables& tables_;
  const Source& source_;
  TextOutput& output_;
  BpeWindow& window_;       // each used by its own model only
  UnigramWindow& unigram_;
  bool behind_unknown_ = false;  // the last symbol in window_ is a character that no token has
  // Neighbouring characters that no token has.
  struct Unknown {
    bool any = false;
    size_t begin = 0, end = 0;
    size_t first = 0;     // number of the first token that was written for them
    uint32_t node = 0;    // where all of them together are in the trie
    bool in_trie = false;
  } unknown_;
};

void SubwordEncoder::run() {
  const Piece whole{source_, tables_.map, source_.size};
  AddedTokenSearch<RawCursor> search(tables_.raw_tokens, tables_.neighbours, whole, RawCursor(0));
  while (!tables_.raw_tokens.empty() && search.next()) {
    if ((search.text().position() < search.start().position() &&
         !piece(search.text().position(), search.start().position())) ||
        !added(whole, search)) {
      return;
    }
    search.consume();
  }
  piece(search.text().position(), source_.size);
}

// The text between two tokens found in the raw text.
bool SubwordEncoder::piece(size_t begin, size_t end) {
  const Rules& rules = tables_.rules;
  if ((rules.strip() & (Rules::kLeftBefore | Rules::kRightBefore)) != 0) {
    strip_piece(source_, rules, begin, end);
  }
  const Piece piece{source_, tables_.map, end, &rules, rules.has_literals() ? &rules.literals() : nullptr};
  if (rules.identity()) {
    return parts(piece, RawCursor(begin));
  }
  return may_match(piece, begin) ? parts(piece, Characters(begin)) : words(piece, Characters(begin), kNoEnd);
}

// Whether a token may be found in the normalised text of a piece. False is certain.
bool SubwordEncoder::may_match(const Piece& piece, size_t begin) const {
  if (tables_.normalized_tokens.empty()) {
    return false;
  }
  for (size_t at = begin; at < piece.end;) {
    size_t end;
    const uint8_t* bytes = source_.segment(at, &end);
    end = end < piece.end ? end : piece.end;
    for (; at < end; ++at, ++bytes) {
      if (*bytes >= 0x80) {
        return true;
      }
      if ((tables_.token_begins[*bytes >> 6] >> (*bytes & 63) & 1) == 0) {
        continue;
      }
      const Trie& trie = tables_.normalized_tokens.trie();
      uint32_t node = trie.root();
      for (size_t i = 0; node != Trie::kNone; ++i) {
        const uint8_t becomes = at + i < end && bytes[i] < 0x80 ? tables_.rules.ascii(bytes[i]) : uint8_t{0};
        if (becomes == 0 || i == 64) {
          return true;  // or may be
        }
        node = trie.step(node, becomes);
        if (Trie::has_value(node)) {
          return true;
        }
      }
    }
  }
  return false;
}

// The text between two tokens found in the normalised text.
template <typename Stream>
bool SubwordEncoder::parts(const Piece& piece, const Stream& begin) {
  if (tables_.normalized_tokens.empty()) {
    return words(piece, begin, nullptr);
  }
  AddedTokenSearch<Stream> search(tables_.normalized_tokens, tables_.neighbours, piece, begin);
  while (search.next()) {
    if ((search.text().index() < search.start().index() && !words(piece, search.text(), &search.start())) ||
        !added(piece, search)) {
      return false;
    }
    search.consume();
  }
  return words(piece, search.text(), nullptr);
}

bool SubwordEncoder::words(const Piece& piece, const RawCursor& begin, const RawCursor* end) {
  Piece part = piece;
  part.end = end != nullptr ? end->position() : piece.end;
  return words(part, Characters(begin.position()), kNoEnd);
}

bool SubwordEncoder::words(const Piece& piece, const Characters& begin, const Characters* end) {
  return words(piece, begin, end != nullptr ? end->index() : kNoEnd);
}

// The words from `begin` to the normalised character number `end`.
bool SubwordEncoder::words(const Piece& piece, const Characters& begin, uint64_t end) {
  if (tables_.model == fmt::TokenModel::Unigram) {
    MarkedWords words(tables_.unigram.marking(), piece, begin, end);
    // A long word is read more than once. Copies cost, so there is one for many words.
    MarkedWords checkpoint = words;
    for (uint64_t passed = 1; words.begin(); ++passed) {
      ++output_.word;
      bool is_long = false;
      if (!pieces(words, is_long) || (is_long && !long_pieces(checkpoint, passed, words))) {
        return false;
      }
      if (is_long || words.index() - checkpoint.index() > kCheckpoint) {
        checkpoint = words;
        passed = 0;
      }
    }
    return true;
  }
  if (tables_.bpe.marked()) {
    MarkedWords words(tables_.bpe.marking(), piece, begin, end);
    while (words.begin()) {
      output_.word += words.fresh();
      if (!merged(nullptr, &words)) {
        return false;
      }
    }
    return true;
  }
  ByteWords words(tables_.bpe, piece, begin, end);
  while (words.begin()) {
    ++output_.word;
    if (!merged(&words, nullptr)) {
      return false;
    }
  }
  return true;
}

// A word of BPE, which one of the two is at.
bool SubwordEncoder::merged(ByteWords* bytes, MarkedWords* marked) {
  window_.clear(tables_.bpe);
  behind_unknown_ = false;
  if (!(bytes != nullptr ? bytes->fill(window_) : fill(*marked))) {
    return long_word(bytes, marked);
  }
  const uint32_t id = window_.whole(tables_.bpe);
  if (id != Bpe::kNone) {
    return token(id, 0, window_.size());
  }
  window_.merge(tables_.bpe, 0, window_.size());
  return tokens(0, window_.size());
}

// Adds symbols of a word to the window: characters that are tokens, bytes of others, or unknown ones. True when the word
// is complete, false when the window is full.
bool SubwordEncoder::fill(MarkedWords& words) {
  const Bpe& bpe = tables_.bpe;
  Element element;
  while (!window_.full()) {
    if (!words.next(element)) {
      return true;
    }
    window_.pass(bpe, element.bytes, element.length);
    const uint32_t node = bpe.words().step(bpe.words().root(), element.bytes, element.length);
    const bool known = Trie::has_value(node);
    if (known || !bpe.has_bytes()) {
      if (!known && behind_unknown_ && bpe.fuses()) {
        window_.extend(element.end);
      } else {
        window_.add(known ? bpe.words().value(node) : bpe.unknown(), element.begin, element.end);
      }
      behind_unknown_ = !known;
      continue;
    }
    for (uint8_t i = 0; i < element.length; ++i) {
      window_.add(bpe.byte(element.bytes[i]), element.begin, element.end);
    }
  }
  return false;
}

// A word that does not fit into the window; BpeWindow says why its parts are right.
bool SubwordEncoder::long_word(ByteWords* bytes, MarkedWords* marked) {
  constexpr uint32_t kPart = BpeWindow::kSize / 4 * 3, kCut = BpeWindow::kSize / 2, kTries = 16;
  const Bpe& bpe = tables_.bpe;
  bool complete = false;
  uint32_t first = Bpe::kNone, first_end = 0;  // the token that the last cut was found right for
  for (;;) {
    const uint32_t size = window_.size();
    const uint32_t to = complete ? size : kPart;
    window_.merge(bpe, 0, to);
    bool found = first == Bpe::kNone || (window_.id(0) == first && window_.next(0) == first_end);
    if (complete && found) {
      return tokens(0, size);
    }
    uint32_t cut = 0;
    for (uint32_t attempt = 0; found && attempt < kTries; ++attempt) {
      uint32_t before = 0;
      for (cut = 0; cut < kCut - attempt * (kCut / 2 / kTries); cut = window_.next(cut)) {
        before = cut;
      }
      const uint32_t id = window_.id(before);
      window_.merge(bpe, cut, size);
      first = window_.id(cut);
      first_end = window_.next(cut);
      window_.merge(bpe, before, first_end);
      if (window_.id(before) == id && window_.next(before) == cut && window_.id(cut) == first &&
          window_.next(cut) == first_end) {
        break;
      }
      window_.merge(bpe, 0, to);
      found = attempt + 1 < kTries;
    }
    if (!found) {
      output_.failed = true;
      return false;
    }
    if (!tokens(0, cut)) {
      return false;
    }
    first_end -= cut;
    window_.shift(cut);
    complete = bytes != nullptr ? bytes->fill(window_) : fill(*marked);
  }
}

// A word of Unigram, unless it fills the window.
bool SubwordEncoder::pieces(MarkedWords& words, bool& is_long) {
  const Unigram& model = tables_.unigram;
  unigram_.clear();
  Element element;
  while (!unigram_.full() && words.next(element)) {
    unigram_.add(element);
  }
  if (unigram_.full()) {
    is_long = true;
    return true;
  }
  unigram_.solve(model, 0);
  return path() && end_unknown();
}

// A word that fills the window, the one with number `passed` behind `checkpoint`; UnigramWindow says why its parts are
// right. `words` is behind what is in the window.
bool SubwordEncoder::long_pieces(const MarkedWords& checkpoint, uint64_t passed, MarkedWords& words) {
  const Unigram& model = tables_.unigram;
  Element element;
  uint64_t length = UnigramWindow::kSize;
  for (MarkedWords count = words; count.next(element);) {
    ++length;
  }
  // Cuts ahead, the next one last; halves of at most 2³² characters.
  uint64_t cuts[48];
  uint32_t ahead = 0;
  cuts[ahead++] = length;
  words = checkpoint;
  for (; passed > 1; --passed) {
    words.begin();
    while (words.next(element)) {
    }
  }
  words.begin();
  uint64_t at = 0;
  double score = 0;
  while (ahead > 0) {
    const uint64_t left = cuts[ahead - 1] - at;
    if (left > UnigramWindow::kSize) {
      cuts[ahead++] = at + unigram_.cut(model, words, left, score);
      continue;
    }
    unigram_.clear();
    for (uint64_t i = 0; i < left && words.next(element); ++i) {
      unigram_.add(element);
    }
    score = unigram_.solve(model, score);
    if (!path()) {
      return false;
    }
    at = cuts[--ahead];
  }
  words.next(element);  // sees the end of the word
  return end_unknown();
}

// The tokens of the window's best path.
bool SubwordEncoder::path() {
  const Unigram& model = tables_.unigram;
  for (uint32_t from = 0; from < unigram_.size(); from = unigram_.next(from)) {
    const uint32_t id = unigram_.id(from), to = unigram_.next(from);
    const size_t begin = unigram_.at(from).begin, end = unigram_.at(to - 1).end;
    if (id != model.unknown()) {
      if (!end_unknown() || !add(id, begin, end, {})) {
        return false;
      }
      continue;
    }
    if (!unknown_.any) {
      unknown_ = {true, begin, end, output_.count, model.trie().root(), true};
    }
    unknown_.end = end;
    for (uint32_t i = from; i < to; ++i) {
      const UnigramWindow::Symbol& element = unigram_.at(i);
      if (unknown_.in_trie) {
        unknown_.node = model.trie().step(unknown_.node, element.bytes, element.length);
        unknown_.in_trie = unknown_.node != Trie::kNone;
      }
      for (uint8_t k = 0; k < element.length && model.bytes() != nullptr; ++k) {
        output_.add(model.bytes()[element.bytes[k]], unknown_.begin, end);
      }
    }
  }
  return true;
}

// Writes the token of the characters that no token has, or gives their bytes the range of them all.
bool SubwordEncoder::end_unknown() {
  if (!unknown_.any) {
    return true;
  }
  const Unigram& model = tables_.unigram;
  unknown_.any = false;
  const bool known = unknown_.in_trie && Trie::has_value(unknown_.node);
  if (known || model.bytes() == nullptr) {
    output_.count = unknown_.first;
    return add(known ? model.trie().value(unknown_.node) : model.unknown(), unknown_.begin, unknown_.end, {});
  }
  output_.extend(unknown_.first, unknown_.end);
  return !output_.full();
}

bool SubwordEncoder::tokens(uint32_t from, uint32_t to) {
  for (uint32_t at = from; at < to; at = window_.next(at)) {
    if (!token(window_.id(at), at, window_.next(at))) {
      return false;
    }
  }
  return true;
}

bool SubwordEncoder::token(uint32_t id, uint32_t from, uint32_t to) {
  Margins margins;
  const uint32_t space = tables_.bpe.space();
  if (tables_.rules.trim() != 0 && (window_.symbol(from) == space || window_.symbol(to - 1) == space)) {
    for (uint32_t i = from; i < to; ++i) {
      margins.add(window_.symbol(i) == space);
    }
  }
  return add(id, window_.begin(from), window_.end(to - 1), margins);
}

// A token that was found in the text.
template <typename Stream>
bool SubwordEncoder::added(const Piece& piece, const AddedTokenSearch<Stream>& search) {
  size_t begin, end;
  if (!search.range(begin, end)) {
    return true;
  }
  const Margins margins = margins_of(tables_, piece, search);
  ++output_.word;
  return add(search.id(), begin, end, margins);
}

bool SubwordEncoder::add(uint32_t id, size_t begin, size_t end, const Margins& margins) {
  trim(tables_, source_, margins, output_.count == 0, begin, end);
  output_.add(id, begin, end);
  return !output_.full();
}

}  // namespace

void encode_subwords(const EncoderTables& tables, const Source& source, TextOutput& output) {
  BpeWindow window;
  UnigramWindow unigram;
  SubwordEncoder(tables, source, output, window, unigram).run();
}

}  // namespace kinglet
