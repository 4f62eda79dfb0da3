// Texts at the edges: empty, cut, too long for the arrays, not UTF-8, huge words, marks out of order, added tokens,
// prefixes. Expected values are those of Hugging Face `tokenizers` 0.22.2.
#include <doctest/doctest.h>

#include <string>

#include "tables.h"

using namespace kinglet;
using namespace kinglet::test;

namespace {

const std::vector<std::string> kVocabulary{"[UNK]", "[CLS]", "[SEP]", "a", "##a", "b",
                                           "##b",   "ab",    "!",     "é", "中",  "new"};

using Spans = std::vector<std::pair<uint32_t, uint32_t>>;
constexpr std::pair<uint32_t, uint32_t> kNone{KINGLET_NO_OFFSET, KINGLET_NO_OFFSET};

Spans spans(const Tokens& tokens) {
  Spans result;
  for (const kinglet_span& span : tokens.offsets) {
    result.emplace_back(span.begin, span.end);
  }
  return result;
}

using Ids = std::vector<int32_t>;

convert::AddedToken added(const std::string& content, bool normalized = false) {
  convert::AddedToken token;
  token.content = content;
  token.normalized = normalized;
  return token;
}

}  // namespace

TEST_CASE("an empty text has the template's tokens") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  const std::string_view empty;
  CHECK(compiled.encode("").ids == Ids{1, 2});
  CHECK(spans(compiled.encode("")) == Spans{kNone, kNone});
  CHECK(compiled.encode("", &empty).ids == Ids{1, 2, 2});
  CHECK(compiled.encode("", &empty).type_ids == Ids{0, 0, 1});
  CHECK(compiled.encode(" \t\n").ids == Ids{1, 2});
  CHECK(compiled.tokenizer().added_count(false) == 2);
  CHECK(compiled.tokenizer().added_count(true) == 3);
}

TEST_CASE("a text without memory behind it") {
  const Compiled compiled(make_tokenizer({"[UNK]"}));
  CHECK(compiled.encode(std::string_view()).ids.empty());
}

TEST_CASE("longest match first, the whole word or nothing") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK(compiled.encode("aba").ids == Ids{1, 7, 4, 2});
  CHECK(spans(compiled.encode(" aba b")) == Spans{kNone, {1, 3}, {3, 4}, {5, 6}, kNone});
  CHECK(compiled.encode("abc!").ids == Ids{1, 0, 8, 2});
  CHECK(spans(compiled.encode("abc!")) == Spans{kNone, {0, 3}, {3, 4}, kNone});
  CHECK(compiled.encode("AB").ids == Ids{1, 7, 2});
}

TEST_CASE("max_length cuts tokens of the text, the longer one of a pair first") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK(compiled.encode("a b a b", nullptr, 6).ids == Ids{1, 3, 5, 3, 5, 2});
  CHECK(!compiled.encode("a b a b", nullptr, 6).truncated);
  CHECK(compiled.encode("a b a b", nullptr, 5).ids == Ids{1, 3, 5, 3, 2});
  CHECK(compiled.encode("a b a b", nullptr, 5).truncated);
  CHECK(compiled.encode("a b a b", nullptr, 2).ids == Ids{1, 2});
  const std::string_view three = "b b b";
  CHECK(compiled.encode("a a a a a", &three, 9).ids == Ids{1, 3, 3, 3, 2, 5, 5, 5, 2});
  CHECK(compiled.encode("a a a a a", &three, 8).ids == Ids{1, 3, 3, 3, 2, 5, 5, 2});
  CHECK(compiled.encode("a", &three, 6).ids == Ids{1, 3, 2, 5, 5, 2});
  CHECK(compiled.encode("a a a", &three, 3).ids == Ids{1, 2, 2});
  // A word that becomes unknown late takes its tokens back.
  CHECK(compiled.encode("abababab~ a", nullptr, 5).ids == Ids{1, 7, 4, 6, 2});
  CHECK(compiled.encode("abababc a", nullptr, 4).ids == Ids{1, 0, 3, 2});
}

TEST_CASE("max_length without room for the special tokens is refused") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK_THROWS_WITH(compiled.encode("a", nullptr, 1), "max_length is 1, but the special tokens alone are 2");
  const std::string_view b = "b";
  CHECK_THROWS_WITH(compiled.encode("a", &b, 2), "max_length is 2, but the special tokens alone are 3");
}

TEST_CASE("a pair is refused when the model has no second type") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  Tokenizer tokenizer;
  Error error;
  REQUIRE(Tokenizer::open(compiled.table(), 12, 1, &tokenizer, error) == KINGLET_OK);
  TokenSink sink;
  const std::string_view pair = "b";
  CHECK(tokenizer.encode({}, "a", nullptr, 0, sink, error) == KINGLET_OK);
  CHECK(tokenizer.encode({}, "a", &pair, 0, sink, error) == KINGLET_INVALID_ARGUMENT);
}

TEST_CASE("words are numbered, and the second text begins where it says") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  std::vector<int32_t> ids(16);
  std::vector<uint32_t> words(16, 99);
  TokenSink sink;
  sink.ids = ids.data();
  sink.words = words.data();
  sink.capacity = 16;
  Error error;
  for (const std::string_view text : {"ab a x!",
                                      "\xc3\xa0"
                                      "b a x!"}) {  // plain and general path
    const std::string_view pair = "a";
    CHECK(compiled.tokenizer().encode({}, text, &pair, 0, sink, error) == KINGLET_OK);
    REQUIRE(sink.pair_begin < sink.size);
    CHECK(ids[sink.pair_begin] == 3);
    CHECK(words[0] == kNoWord);
    CHECK(words[sink.size - 1] == kNoWord);
    CHECK(words[sink.pair_begin - 1] == kNoWord);
    CHECK(words[1] < words[sink.pair_begin - 2]);
    for (size_t i = 2; i + 1 < sink.pair_begin; ++i) {
      const std::string_view piece = compiled.tokenizer().token(ids[i]);
      CHECK((words[i] == words[i - 1]) == piece.starts_with("##"));
    }
    CHECK(compiled.tokenizer().encode({}, text, nullptr, 0, sink, error) == KINGLET_OK);
    CHECK(sink.pair_begin == SIZE_MAX);
  }
}

TEST_CASE("tokens beyond the capacity are counted and not written") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  for (size_t capacity = 0; capacity < 8; ++capacity) {
    std::vector<int32_t> ids(8, -7), types(8, -7);
    std::vector<kinglet_span> offsets(8, {77, 77});
    TokenSink sink{ids.data(), types.data(), offsets.data(), capacity, 0, false};
    Error error;
    CHECK(compiled.tokenizer().encode({}, "ab a x!", nullptr, 0, sink, error) == KINGLET_OK);
    CHECK(sink.size == 6);
    const Ids all{1, 7, 3, 0, 8, 2};
    for (size_t i = 0; i < 8; ++i) {
      CHECK(ids[i] == (i < capacity && i < 6 ? all[i] : -7));
      CHECK((types[i] == -7) == !(i < capacity && i < 6));
      CHECK((offsets[i].begin == 77) == !(i < capacity && i < 6));
    }
  }
  TokenSink none;
  Error error;
  CHECK(compiled.tokenizer().encode({}, "ab a", nullptr, 0, none, error) == KINGLET_OK);
  CHECK(none.size == 4);
}

TEST_CASE("ill-formed UTF-8 is U+FFFD, and offsets count the bytes there are") {
  auto loaded = make_tokenizer({"[UNK]", "\xef\xbf\xbd", "##\xef\xbf\xbd", "a", "##a"});
  loaded.tokenizer.set_normalizer(false, false, false, false);
  const Compiled compiled(std::move(loaded));
  const auto check = [&](const std::string& text, const Spans& want) {
    CAPTURE(text.size());
    CHECK(spans(compiled.encode(text)) == want);
  };
  check(
      "a\xff"
      "a",
      {{0, 1}, {1, 2}, {2, 3}});
  check("\xe4\xb8", {{0, 2}});              // cut: one
  check("\xe4\xb8\xe4\xb8\xad", {{0, 5}});  // U+FFFD, then 中, which is unknown: the word is
  check("\xf0\x9f\x98", {{0, 3}});
  check("\xed\xa0\x80", {{0, 1}, {1, 2}, {2, 3}});  // a surrogate: three
  check("\xc0\xaf", {{0, 1}, {1, 2}});              // overlong: two
  check("\xe0\x80\x80", {{0, 1}, {1, 2}, {2, 3}});
  check("\xf4\x90\x80\x80", {{0, 1}, {1, 2}, {2, 3}, {3, 4}});
  check("\xf5", {{0, 1}});
  check("\x80", {{0, 1}});
}

TEST_CASE("clean_text removes what is ill-formed") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK(compiled
            .encode("a\xff"
                    "b\xe4")
            .ids == Ids{1, 7, 2});
  CHECK(spans(compiled.encode("a\xff"
                              "b\xe4")) == Spans{kNone, {0, 3}, kNone});
}

TEST_CASE("words longer than the limit are unknown") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK(compiled.encode(std::string(100, 'a')).ids.size() == 102);
  CHECK(compiled.encode(std::string(101, 'a')).ids == Ids{1, 0, 2});
  CHECK(spans(compiled.encode(std::string(101, 'a') + "!")) == Spans{kNone, {0, 101}, {101, 102}, kNone});
  std::string accents;
  for (int i = 0; i < 100; ++i) {
    accents += "á";
  }
  CHECK(compiled.encode(accents).ids.size() == 102);
  CHECK(spans(compiled.encode(accents + "a")) == Spans{kNone, {0, 201}, kNone});
}

TEST_CASE("a huge word, a huge run of marks and a huge run of spaces") {
  auto loaded = make_tokenizer({"[UNK]", "a", "##a", "\xe3\x80\xae", "##\xe3\x80\xae"});
  loaded.tokenizer.max_word_chars = UINT64_MAX;
  loaded.tokenizer.add_tokens({added("zz", true), added("  ", true)});
  loaded.tokenizer.add_tokens([] {
    convert::AddedToken token = added("qq");
    token.lstrip = token.rstrip = true;
    convert::AddedToken space = added("\t");
    space.rstrip = true;
    return std::vector{token, space};
  }());
  const Compiled compiled(std::move(loaded));
  const size_t size = 1 << 20;
  const Tokens word = compiled.encode(std::string(size, 'a'));
  CHECK(word.ids.size() == size);
  CHECK(word.offsets.back().end == size);
  // Marks that stay (U+302E, class 224) and marks that go (U+0301, class 230): position by position.
  std::string marks = "a";
  for (size_t i = 0; i < size / 8; ++i) {
    marks += "\xcc\x81\xe3\x80\xae";
  }
  const Tokens marked = compiled.encode(marks);
  REQUIRE(marked.ids.size() == 1 + size / 8);
  CHECK(marked.offsets[1].begin == 1);  // the first of them has the range of the first mark
  CHECK(marked.offsets[1].end == 3);
  CHECK(marked.offsets[2].begin == 3);
  CHECK(marked.offsets[2].end == 6);
  CHECK(compiled.encode(std::string(size, '\t')).ids.size() == size);
  CHECK(compiled.encode(std::string(size, ' ')).ids.size() == size / 2);
}

TEST_CASE("canonical ordering: ranges go by position") {
  const Compiled compiled(make_tokenizer({"[UNK]", "a", "##\xe3\x80\xae", "##\xe3\x80\xaf"}));
  // a, U+0301 (230, removed), U+302E (224, stays): U+302E comes first and takes the place of U+0301.
  CHECK(spans(compiled.encode("a\xcc\x81\xe3\x80\xae")) == Spans{{0, 1}, {1, 3}});
  CHECK(spans(compiled.encode("\xc3\xa1\xe3\x80\xae")) == Spans{{0, 2}, {2, 5}});
  // U+034F is removed, but separates.
  CHECK(spans(compiled.encode("a\xcc\x81\xcd\x8f\xe3\x80\xae")) == Spans{{0, 1}, {5, 8}});
}

TEST_CASE("parts of a character have the character's range") {
  const Compiled compiled(make_tokenizer({"[UNK]", "\xe1\x84\x80", "##\xe1\x85\xa1", "##\xe1\x86\xa8", "i"}));
  CHECK(spans(compiled.encode("\xea\xb0\x81")) == Spans{{0, 3}, {0, 3}, {0, 3}});  // 각
  CHECK(spans(compiled.encode("\xc4\xb0")) == Spans{{0, 2}});                      // İ
}

TEST_CASE("white space of all kinds and Chinese characters separate words") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK(compiled
            .encode("a\xe3\x80\x80"
                    "b\xc2\xa0"
                    "a\xe2\x80\xa8"
                    "b\x0b")
            .ids == Ids{1, 3, 5, 3, 5, 2});
  CHECK(spans(compiled.encode("a\xe4\xb8\xad"
                              "b")) == Spans{kNone, {0, 1}, {1, 4}, {4, 5}, kNone});
  CHECK(compiled
            .encode("a\xe2\x80\x8b"
                    "b\x01")
            .ids == Ids{1, 7, 2});  // U+200B and U+0001 vanish
}

TEST_CASE("added tokens in the raw text") {
  auto loaded = make_tokenizer(kVocabulary);
  convert::AddedToken strips = added("<s>"), word = added("wo");
  strips.lstrip = strips.rstrip = true;
  word.single_word = true;
  loaded.tokenizer.add_tokens({added("[new]"), added("[new]x"), strips, word});
  const Compiled compiled(std::move(loaded));
  CHECK(spans(compiled.encode("a[new]b")) == Spans{kNone, {0, 1}, {1, 6}, {6, 7}, kNone});
  CHECK(compiled.encode("a[new]xb").ids == Ids{1, 3, 13, 5, 2});  // the longest
  CHECK(compiled.encode("[NEW]").ids != Ids{1, 12, 2});
  CHECK(spans(compiled.encode("a  <s> \xe3\x80\x80 b")) == Spans{kNone, {0, 1}, {1, 11}, {11, 12}, kNone});
  CHECK(compiled.encode("a wo b").ids == Ids{1, 3, 15, 5, 2});
  CHECK(compiled.encode("a wob").ids == Ids{1, 3, 0, 2});
  CHECK(compiled.encode("\xc3\xa9wo").ids == Ids{1, 0, 2});
  CHECK(compiled.encode("-wo-").ids == Ids{1, 0, 15, 0, 2});
  CHECK(compiled.encode("[new").ids == Ids{1, 0, 11, 2});
}

TEST_CASE("added tokens in the normalised text") {
  auto loaded = make_tokenizer(kVocabulary);
  convert::AddedToken word = added("\xc3\x89t", true);
  word.single_word = true;
  word.lstrip = true;
  loaded.tokenizer.add_tokens({added("New", true), added("\xe4\xb8\xad", true), word});
  const Compiled compiled(std::move(loaded));
  CHECK(compiled.encode("aNEWb").ids == Ids{1, 3, 12, 5, 2});
  CHECK(spans(compiled.encode("aN\xc3\x8aWb")) == Spans{kNone, {0, 1}, {1, 5}, {5, 6}, kNone});
  CHECK(spans(compiled.encode("a\xe4\xb8\xad"
                              "b")) == Spans{kNone, {0, 1}, {1, 4}, {4, 5}, kNone});
  CHECK(spans(compiled.encode("a  et!")) == Spans{kNone, {0, 1}, {1, 5}, {5, 6}, kNone});
  CHECK(compiled.encode("aet").ids == Ids{1, 0, 2});
}

TEST_CASE("the tokens of a prefix have empty ranges") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  CHECK(spans(compiled.encode("a b", nullptr, 0, "b: ")) == Spans{kNone, {0, 0}, {0, 0}, {0, 1}, {2, 3}, kNone});
  // One word out of both: the range is what is of the text.
  CHECK(compiled.encode("ba", nullptr, 0, "a").ids == Ids{1, 7, 4, 2});
  CHECK(spans(compiled.encode("ba", nullptr, 0, "a")) == Spans{kNone, {0, 1}, {1, 2}, kNone});
  CHECK(spans(compiled.encode("\xcc\x81 b", nullptr, 0, "a")) == Spans{kNone, {0, 0}, {3, 4}, kNone});
  CHECK(compiled.encode("\xb8\xad", nullptr, 0, "\xe4").ids == Ids{1, 10, 2});
  const std::string_view pair = "b";
  CHECK(spans(compiled.encode("", &pair, 0, "a")) == Spans{kNone, {0, 0}, kNone, {0, 1}, kNone});
}

TEST_CASE("plain and general path agree on where a word ends") {
  const Compiled compiled(make_tokenizer(kVocabulary));
  for (const char* behind : {"", " ", "!", "\x01", "\x01 ", "\xcc\x81", "\xe2\x80\x8b", "\xc2\xa0", "\xff"}) {
    for (const char* before : {"", " ", "!", "\x01", "\xcc\x81", "\xc3\xa9 "}) {
      const std::string text = std::string(before) + "ab" + behind;
      const Tokens tokens = compiled.encode(text);
      CAPTURE(text);
      CHECK(std::count(tokens.ids.begin(), tokens.ids.end(), 7) == 1);
    }
  }
}

TEST_CASE("the text of a token") {
  std::vector<std::string> vocabulary{"[UNK]"};
  for (int i = 0; i < 100; ++i) {
    vocabulary.push_back(std::string(static_cast<size_t>(3 * i), 'x') + std::to_string(i));
  }
  vocabulary.push_back("");
  const Compiled compiled(make_tokenizer(vocabulary));
  for (size_t id = 0; id < vocabulary.size(); ++id) {
    CHECK(compiled.tokenizer().token(static_cast<int32_t>(id)) == vocabulary[id]);
    CHECK(compiled.tokenizer().token(static_cast<int32_t>(id)).data() != nullptr);
  }
  CHECK(compiled.tokenizer().token(-1).data() == nullptr);
  CHECK(compiled.tokenizer().token(static_cast<int32_t>(vocabulary.size())).data() == nullptr);
  CHECK(Tokenizer().token(0).data() == nullptr);
}

TEST_CASE("ids without a token") {
  auto loaded = make_tokenizer({"[UNK]"});
  loaded.tokenizer.vocabulary["far"] = 40;
  const Compiled compiled(std::move(loaded));
  CHECK(compiled.compiled().size() == 41);
  CHECK(compiled.tokenizer().token(40) == "far");
  CHECK(compiled.tokenizer().token(39).data() == nullptr);
  CHECK(compiled.encode("far").ids == Ids{40});
}
