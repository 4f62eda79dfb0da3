// One test per way in which the tables of BPE, of Unigram and of the rules can be broken: each is refused by name.
#include <doctest/doctest.h>

#include <cmath>

#include "subwords.h"

using namespace kinglet;
using namespace kinglet::test;

namespace {

const Compiled& bpe() {
  static const Compiled compiled = [] {
    convert::LoadedTokenizer loaded = make_bpe({{"a", "b"}, {"ab", "a"}});
    loaded.tokenizer.rules.compose = true;
    return Compiled(loaded);
  }();
  return compiled;
}

const Compiled& unigram() {
  static const Compiled compiled = [] {
    convert::LoadedTokenizer loaded = make_unigram({{"a", -1}, {"<unk>", 0}, {"\xe2\x96\x81", -2}, {"ab", -3}});
    loaded.tokenizer.unigram->unknown = 1;
    loaded.tokenizer.rules.charsmap = make_charsmap({{"x", "yz"}});
    loaded.tokenizer.rules.literals = {{"``", '"'}};
    loaded.tokenizer.rules.strip = 3;
    loaded.tokenizer.rules.collapse = 1;
    loaded.tokenizer.rules.trim = 1;
    return Compiled(loaded);
  }();
  return compiled;
}

#define CHECK_REFUSED(changed, part)                                   \
  do {                                                                 \
    const std::string message_ = (changed).message();                  \
    CHECK_MESSAGE(message_.find(part) != std::string::npos, message_); \
  } while (false)

}  // namespace

TEST_CASE("the unbroken tables open") {
  CHECK(Changed(bpe()).message() == "");
  CHECK(Changed(unigram()).message() == "");
}

TEST_CASE("character classes with too many blocks, parts of one, or blocks out of range") {
  Changed cut(bpe());
  CHECK_REFUSED(cut.cut(cut.rules().classes()->classes(), cut.rules().classes()->classes()->size() - 1),
                "tokenizer.model.rules.classes:");
  Changed block(bpe());
  CHECK_REFUSED(block.at<uint16_t>(block.rules().classes()->blocks(), 3, 65535), "rules.classes.blocks[3] is 65535");
}

TEST_CASE("compositions that are no characters or out of order") {
  Changed surrogate(bpe());
  CHECK_REFUSED(surrogate.at(surrogate.rules().compositions(), 2, fmt::Composition(0xd800, 1, 1)),
                "rules.compositions[2] names what is no character");
  Changed order(bpe());
  CHECK_REFUSED(order.at(order.rules().compositions(), 1, fmt::Composition(1, 1, 1)),
                "compositions[1] is out of order");
}

TEST_CASE("literals that are empty, that lead out of the map, or whose trie is broken") {
  Changed value(unigram());
  uint32_t leaf = 0;
  while ((value.rules().literals()->Get(leaf) & 1 << 8) == 0) {
    ++leaf;
  }
  CHECK_REFUSED(value.at<uint32_t>(value.rules().literals(), leaf, 5u << 10 | 1 << 8), "rules.literals: the value 5");
  CHECK_REFUSED(value.at<uint32_t>(value.rules().literals(), leaf, 60000u << 10 | 1 << 8),
                "points beyond the expansions");
  Changed empty(unigram());
  CHECK_REFUSED(empty.at<uint32_t>(empty.rules().literals(), 0, empty.rules().literals()->Get(leaf)),
                "a literal must not be empty");
  Changed out(unigram());
  CHECK_REFUSED(out.at<uint32_t>(out.rules().literals(), 1, 0xfffffc00), "rules.literals: the children of unit 1");
}

TEST_CASE("a charsmap that leads out of its texts, or to what is not UTF-8") {
  Changed text(unigram());
  CHECK_REFUSED(text.at<uint8_t>(text.rules().charsmap_text(), 0, 3), "charsmap_text ends inside the text at 0");
  Changed utf8(unigram());
  CHECK_REFUSED(utf8.at<uint8_t>(utf8.rules().charsmap_text(), 1, 0xff), "charsmap_text at 0 is not UTF-8");
  Changed value(unigram());
  CHECK_REFUSED(value.cut(value.rules().charsmap_text(), 0), "model.rules.charsmap: unit");
}

TEST_CASE("unknown rules") {
  Changed strip(unigram());
  CHECK_REFUSED(strip.field<uint8_t>(strip.rules(), fmt::Rules::VT_STRIP, 32), "strip 32");
  Changed collapse(unigram());
  CHECK_REFUSED(collapse.field<uint8_t>(collapse.rules(), fmt::Rules::VT_COLLAPSE, 3), "collapse 3");
  Changed trim(unigram());
  CHECK_REFUSED(trim.field<uint8_t>(trim.rules(), fmt::Rules::VT_TRIM, 4), "trim 4");
  Changed space(unigram());
  CHECK_REFUSED(space.field<uint32_t>(space.rules(), fmt::Rules::VT_SPACE, 0x110000), "rules.space is 1114112");
}

TEST_CASE("BPE: bytes, merges and words that are no tokens") {
  Changed count(bpe());
  CHECK_REFUSED(count.cut(count.bpe().bytes(), 255), "tokenizer.model.bytes has 255 entries");
  Changed byte(bpe());
  CHECK_REFUSED(byte.at<uint32_t>(byte.bpe().bytes(), 7, 258), "tokenizer.model.bytes[7] is 258");
  for (const fmt::Merge& merge : {fmt::Merge(258, 0, 0), fmt::Merge(0, 258, 0), fmt::Merge(0, 0, 258)}) {
    Changed merges(bpe());
    CHECK_REFUSED(merges.at(merges.bpe().merges(), 1, merge), "tokenizer.model.merges[1]");
  }
  Changed words(bpe());
  CHECK_REFUSED(words.at<uint32_t>(words.bpe().words(), 0, 258u << 10 | 1 << 8), "tokenizer.model.words: unit 0");
}

TEST_CASE("BPE: hash tables that are no power of two, lead out of the merges, or have no free slot") {
  Changed size(bpe());
  CHECK_REFUSED(size.cut(size.bpe().slots(), 3), "tokenizer.model.slots: 3 of them");
  CHECK_REFUSED(size.cut(size.bpe().slots(), 0), "tokenizer.model.slots: 0 of them");
  Changed rank(bpe());
  CHECK_REFUSED(rank.at<uint32_t>(rank.bpe().slots(), 0, 3), "tokenizer.model.slots[0] is 3");
  Changed full(bpe());
  for (uint32_t i = 0; i < full.bpe().slots()->size(); ++i) {
    full.at<uint32_t>(full.bpe().slots(), i, 1);
  }
  CHECK_REFUSED(full, "4 of 4 are used");
}

TEST_CASE("BPE: tokens that are too long, unknown flags") {
  Changed length(bpe());
  CHECK_REFUSED(length.field<uint32_t>(length.bpe(), fmt::Bpe::VT_MAX_TOKEN_BYTES, 513), "max_token_bytes is 513");
  Changed flags(bpe());
  CHECK_REFUSED(flags.field<uint32_t>(flags.bpe(), fmt::Bpe::VT_FLAGS, 16), "unknown flags 16");
}

TEST_CASE("Unigram: scores that are missing or not finite") {
  Changed count(unigram());
  CHECK_REFUSED(count.cut(count.unigram().scores(), 3), "tokenizer.model.scores has 3 entries");
  Changed nan(unigram());
  CHECK_REFUSED(nan.at<float>(nan.unigram().scores(), 1, NAN), "tokenizer.model.scores[1] is not a finite number");
  Changed infinite(unigram());
  CHECK_REFUSED(infinite.field<double>(infinite.unigram(), fmt::Unigram::VT_UNKNOWN_SCORE, INFINITY),
                "unknown_score is not a finite number");
}

TEST_CASE("Unigram: ids, lengths, markers and flags out of range") {
  Changed unknown(unigram());
  CHECK_REFUSED(unknown.field<uint32_t>(unknown.unigram(), fmt::Unigram::VT_UNKNOWN, 4), "unknown is 4");
  Changed length(unigram());
  CHECK_REFUSED(length.field<uint32_t>(length.unigram(), fmt::Unigram::VT_MAX_TOKEN_CHARS, 201),
                "max_token_chars is 201");
  Changed marker(unigram());
  CHECK_REFUSED(marker.field<uint32_t>(marker.unigram(), fmt::Unigram::VT_MARKER, 0xd900), "marker is 55552");
  Changed flags(unigram());
  CHECK_REFUSED(flags.field<uint32_t>(flags.unigram(), fmt::Unigram::VT_FLAGS, 16), "unknown flags 16");
  Changed trie(unigram());
  CHECK_REFUSED(trie.at<uint32_t>(trie.unigram().trie(), 0, 4u << 10 | 1 << 8), "tokenizer.model.trie: unit 0");
}
