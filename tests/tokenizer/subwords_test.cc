// BPE and Unigram: words of any length against plain implementations, and what the rules do with texts.
#include <doctest/doctest.h>

#include <random>
#include <string>

#include "subwords.h"

using namespace kinglet;
using namespace kinglet::test;

namespace {

using Ids = std::vector<int32_t>;

// Byte pair encoding as it is defined: the lowest rank, the leftmost of equals, again and again.
Ids merge_plainly(const convert::SourceTokenizer& tokenizer, const std::string& word) {
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  for (size_t i = 0; i < tokenizer.bpe->merges.size(); ++i) {
    ranks[tokenizer.bpe->merges[i]] = i;
  }
  std::vector<std::string> symbols;
  for (const char c : word) {
    symbols.emplace_back(1, c);
  }
  for (;;) {
    size_t best = SIZE_MAX, at = 0;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto found = ranks.find({symbols[i], symbols[i + 1]});
      if (found != ranks.end() && found->second < best) {
        best = found->second;
        at = i;
      }
    }
    if (best == SIZE_MAX) {
      break;
    }
    symbols[at] += symbols[at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at) + 1);
  }
  Ids ids;
  for (const std::string& symbol : symbols) {
    ids.push_back(static_cast<int32_t>(tokenizer.vocabulary.at(symbol)));
  }
  return ids;
}

// The best path over all positions at once, for words of ASCII all of whose letters are pieces.
Ids path_plainly(const convert::UnigramModel& model, const std::string& word) {
  std::vector<double> scores(word.size() + 1);
  std::vector<int64_t> from(word.size() + 1, -1);
  std::vector<int32_t> best(word.size() + 1);
  const auto vocabulary = convert::vocabulary_of(model);
  for (size_t begin = 0; begin < word.size(); ++begin) {
    for (size_t length = 1; length <= 8 && begin + length <= word.size(); ++length) {
      const auto found = vocabulary.find(word.substr(begin, length));
      if (found == vocabulary.end()) {
        continue;
      }
      const double score = model.pieces[found->second].second + scores[begin];
      if (from[begin + length] < 0 || score > scores[begin + length]) {
        scores[begin + length] = score;
        from[begin + length] = static_cast<int64_t>(begin);
        best[begin + length] = static_cast<int32_t>(found->second);
      }
    }
  }
  Ids ids;
  for (size_t end = word.size(); end > 0; end = static_cast<size_t>(from[end])) {
    ids.insert(ids.begin(), best[end]);
  }
  return ids;
}

std::string random_word(std::mt19937& random, size_t length, unsigned letters) {
  std::string word;
  for (size_t i = 0; i < length; ++i) {
    word += static_cast<char>('a' + random() % letters);
  }
  return word;
}

}  // namespace

TEST_CASE("BPE: words shorter and longer than the window") {
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 4; ++round) {
    Merges merges;
    std::vector<std::string> tokens = {"a", "b", "c"};
    while (merges.size() < 24) {
      const std::string left = tokens[random() % tokens.size()], right = tokens[random() % tokens.size()];
      if (left.size() + right.size() <= 12) {
        merges.emplace_back(left, right);
        tokens.push_back(left + right);
      }
    }
    const convert::LoadedTokenizer loaded = make_bpe(merges);
    const Compiled compiled(loaded);
    for (const size_t length : {1u, 5u, 31u, 33u, 300u, 2043u, 2049u, 3000u}) {
      const std::string word = random_word(random, length, round % 2 == 0 ? 3 : 1);
      CHECK(compiled.encode(word).ids == merge_plainly(loaded.tokenizer, word));
    }
  }
}

TEST_CASE("BPE: a word of a megabyte") {
  Merges merges = {{"a", "a"}, {"aa", "aa"}, {"aa", "a"}, {"aaaa", "aaaa"}};
  const Compiled compiled(make_bpe(merges));
  const Tokens tokens = compiled.encode(std::string(1 << 20, 'a'));
  CHECK(tokens.ids.size() == (1 << 20) / 8);
  CHECK(tokens.offsets.back().end == 1 << 20);
  CHECK(compiled.encode(std::string(1 << 20, 'a') + " b", nullptr, 7).ids.size() == 7);
}

TEST_CASE("BPE: the words of GPT-2's regular expression") {
  // Merges show where words do not end.
  const Merges pairs = {{"'", "s"}, {"s", "'"}, {"\xc4\xa0", "a"},
                                                                  {"\xc4\xa0", "\xc4\xa0"}, {"a", "1"}, {"1", "a"}};
  const Compiled joined(make_bpe(pairs));
  const auto count = [&](const std::string& text) { return joined.encode(text).ids.size(); };
  CHECK(count("'s") == 1);
  CHECK(count("a's") == 2);
  CHECK(count(" 's") == 3);   // ␣' and s
  CHECK(count("s'") == 2);
  CHECK(count("a1") == 2);
  CHECK(count(" a") == 1);
  CHECK(count("  a") == 2);   // ␣ and ␣a
  CHECK(count("   a") == 2);  // ␣␣ and ␣a
  CHECK(count("  ") == 1);
}

TEST_CASE("Unigram: words shorter and longer than the window") {
  const unsigned seed = std::random_device{}();
  INFO("seed ", seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 12; ++round) {
    std::vector<std::pair<std::string, double>> pieces = {{"<unk>", 0}, {"a", -3}, {"b", -4}, {"c", -5}};
    for (int i = 0; i < 30; ++i) {
      // Few different scores, so that many paths are equally good.
      const std::string piece = random_word(random, 2 + random() % 6, round % 3 + 1);
      pieces.emplace_back(piece, -static_cast<double>(random() % 8) * 1.1 - static_cast<double>(piece.size()));
    }
    convert::LoadedTokenizer loaded = make_unigram(pieces);
    loaded.tokenizer.unigram->prefix = false;
    const convert::UnigramModel model = *loaded.tokenizer.unigram;
    const Compiled compiled(loaded);
    for (const size_t length : {1u, 7u, 511u, 512u, 513u, 514u, 1500u, 4000u}) {
      const std::string word = random_word(random, length, round % 3 + 1);
      CHECK(compiled.encode(word).ids == path_plainly(model, word));
    }
  }
}

TEST_CASE("Unigram: a word of a megabyte, known and unknown") {
  const Compiled compiled(make_unigram({{"<unk>", 0}, {"\xe2\x96\x81", -2}, {"a", -3}, {"aa", -4}}));
  const Tokens tokens = compiled.encode(std::string(1 << 20, 'a'));
  CHECK(tokens.ids.size() == 1 + (1 << 19));
  CHECK(tokens.offsets.back().end == 1 << 20);
  const Tokens unknown = compiled.encode(std::string(1 << 20, 'x'));
  CHECK(unknown.ids == Ids{1, 0});
  CHECK(unknown.offsets[1].end == 1 << 20);
}

TEST_CASE("Unigram: unknown characters become one token, or their bytes") {
  std::vector<std::pair<std::string, double>> pieces = {{"<unk>", 0}, {"\xe2\x96\x81", -2}, {"a", -3}};
  CHECK(Compiled(make_unigram(pieces)).encode("xya").ids == Ids{1, 0, 2});
  char name[8];
  for (unsigned byte = 0; byte < 256; ++byte) {
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    pieces.emplace_back(name, -20);
  }
  convert::LoadedTokenizer loaded = make_unigram(pieces);
  loaded.tokenizer.unigram->byte_fallback = true;
  const Tokens tokens = Compiled(loaded).encode("x\xc3\xa9" "a");
  CHECK(tokens.ids == Ids{1, 3 + 'x', 3 + 0xc3, 3 + 0xa9, 2});
  CHECK(tokens.offsets[2].begin == 0);
  CHECK(tokens.offsets[1].end == 3);
}

TEST_CASE("the charsmap: clusters, characters, removed ones") {
  convert::LoadedTokenizer loaded = make_unigram({{"<unk>", 0}, {"\xe2\x96\x81", -2}, {"T", -3}, {"M", -3}, {"g", -3},
                                                  {"e", -3}});
  loaded.tokenizer.rules.charsmap = make_charsmap({{"\xe2\x84\xa2", "TM"}, {"\x1e", ""}, {"\xc3\xa9", "e"},
                                                   {"\xcc\x81", "g"}});
  const Compiled compiled(loaded);
  const Tokens tokens = compiled.encode("\xe2\x84\xa2\x1eg");
  CHECK(tokens.ids == Ids{1, 2, 3, 4});
  // What is new before something removed takes that one's place.
  CHECK(tokens.offsets[2].begin == 3);
  CHECK(tokens.offsets[2].end == 4);
  CHECK(compiled.encode("\xc3\xa9").ids == Ids{1, 5});
  CHECK(compiled.encode("\xc3\xa9\xcc\x81").ids == Ids{1, 5});  // one cluster: the mark goes too
  // U+E0001 stands alone, so that the marks behind it are a cluster of their own.
  CHECK(compiled.encode("\xf3\xa0\x80\x81\xcc\x81\xcc\x82").ids == Ids{1, 0, 4});
  CHECK(compiled.encode("z\xcc\x81\xcc\x82").ids == Ids{1, 0, 4, 0});
  // Removed at the very beginning: ranges lag from then on.
  const Tokens lag = compiled.encode("\x1e\x1egg");
  CHECK(lag.ids == Ids{1, 4, 4});
  CHECK(lag.offsets[2].begin == 1);
}

TEST_CASE("a million combining marks") {
  convert::LoadedTokenizer loaded = make_bpe({});
  loaded.tokenizer.rules.compose = true;
  const Compiled compiled(loaded);
  std::string text = "e";
  for (int i = 0; i < 250000; ++i) {
    text += i % 2 == 0 ? "\xcc\xa3" : "\xcc\x81";
  }
  const Tokens tokens = compiled.encode(text);
  // ẹ is three bytes; the first acute does not join it.
  CHECK(tokens.ids.size() == 3 + 2 * 249999);
}
