// libFuzzer target for the tokenizer. The first byte of an input chooses:
//   even:      the rest is text for one of eight fixed tokenizers: prefix, text and pair, separated by two 0xff 0xfe
//   8 · n + 1: the rest is a FlatBuffer table of a tokenizer, which must be refused or work on any text
//   8 · n + 3: the rest are changes of the table of fixed tokenizer n % 10: places (three bytes) and what they become
//   8 · n + 5: as the first, for one of two tokenizers of SentencePiece's BPE
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "flatbuffers/flatbuffers.h"
#include "tokenizer/subwords.h"
#include "tokenizer/tokenizer.h"
#include "tokenizers/auto_tokenizer.h"

namespace {

using kinglet::Tokenizer;
using kinglet::TokenSink;

struct Fixed {
  flatbuffers::FlatBufferBuilder builder;
  Tokenizer tokenizer;

  // 8: characters, their bytes and a prefix; 9: characters or unknown ones
  static kinglet::convert::LoadedTokenizer characters(bool has_bytes) {
    kinglet::convert::LoadedTokenizer loaded;
    auto& source = loaded.tokenizer;
    const auto add = [&](const std::string& token) {
      source.vocabulary.emplace(token, static_cast<uint32_t>(source.vocabulary.size()));
    };
    for (const char* token : {"<unk>", "\xe2\x96\x81", "a", "b", "\xea\xb0\x80"}) {
      add(token);
    }
    for (int byte = 0; has_bytes && byte < 256; ++byte) {
      char name[8];
      std::snprintf(name, sizeof(name), "<0x%02X>", static_cast<unsigned>(byte));
      add(name);
    }
    source.bpe.emplace();
    source.bpe->merges = {{"a", "b"}, {"\xe2\x96\x81", "a"}, {"ab", "ab"}, {"\xe2\x96\x81", "\xe2\x96\x81"}};
    for (const auto& [left, right] : source.bpe->merges) {
      add(left + right);
    }
    source.bpe->unknown = "<unk>";
    source.bpe->byte_fallback = has_bytes;
    source.bpe->fuse_unknown = true;
    source.bpe->metaspace.emplace();
    if (has_bytes) {
      *source.bpe->metaspace = {0x2581, false, false, false, false};
      source.rules.literals = {{" ", 0x2581}};
      source.rules.strip = kinglet::Rules::kPrepend;
      source.rules.space = 0x2581;
    }
    return loaded;
  }

  // 4, 5: BPE, 6, 7: Unigram
  static kinglet::convert::LoadedTokenizer subwords(unsigned kind) {
    namespace test = kinglet::test;
    auto loaded = kind > 7   ? characters(kind == 8)
                  : kind < 6 ? test::make_bpe({{"a", "b"}, {"ab", "a"}, {"\xc4\xa0", "a"}, {"\xc4\xa0", "\xc4\xa0"}})
                           : test::make_unigram({{"<unk>", 0},
                                                 {"\xe2\x96\x81", -2},
                                                 {"a", -3},
                                                 {"ab", -3.5},
                                                 {"\xe2\x96\x81"
                                                  "b",
                                                  -4},
                                                 {"\xea\xb0\x80", -5},
                                                 {"T", -6}});
    auto& source = loaded.tokenizer;
    if (kind == 5) {
      source.rules.compose = true;
      source.bpe->add_prefix_space = true;
      source.rules.trim = 3;
    } else if (kind == 6) {
      source.rules.charsmap =
          test::make_charsmap({{"\xe2\x84\xa2", "TM"}, {"\x1e", ""}, {"\xc3\xa9", "e"}, {"\r", " "}});
      source.rules.strip = kinglet::Rules::kRight;
      source.rules.collapse = kinglet::Rules::kSpaces;
      source.rules.space = 0x2581;
    } else if (kind == 7) {
      source.rules.literals = {{"``", '"'}, {"\'\'", '"'}};
      source.rules.decompose = source.rules.compatibility = source.rules.strip_accents = source.rules.lowercase = true;
      source.rules.strip = 3;
      source.rules.collapse = kinglet::Rules::kWhiteSpace;
      source.unigram->split_spaces = true;
    }
    source.single = {{-1, 0}};
    source.pair = {{-1, 0}, {-2, 1}};
    std::vector<kinglet::convert::AddedToken> added;
    for (const char* content : {"[MASK]", "<s>", "ab"}) {
      kinglet::convert::AddedToken token;
      token.content = content;
      token.normalized = content[0] != '[';
      token.lstrip = token.rstrip = content[0] != 'a';
      token.single_word = content[0] == 'a';
      added.push_back(token);
    }
    source.add_tokens(added);
    return loaded;
  }

  explicit Fixed(unsigned kind) {
    if (kind > 3) {
      open(subwords(kind));
      return;
    }
    kinglet::convert::LoadedTokenizer loaded;
    auto& tokenizer_source = loaded.tokenizer;
    for (const char* token :
         {"[UNK]", "[CLS]", "[SEP]", "a", "##a", "b", "##b", "ab", "##ba", "!", "é", "##é", "中", "\xe3\x80\xae",
          "##\xe3\x80\xae", "\xe1\x84\x80", "##\xe1\x85\xa1", "가", "##\xf0\x9d\x85\xa5"}) {
      tokenizer_source.vocabulary.emplace(token, static_cast<uint32_t>(tokenizer_source.vocabulary.size()));
    }
    tokenizer_source.single = {{1, 0}, {-1, 0}, {2, 0}};
    tokenizer_source.pair = {{1, 0}, {-1, 0}, {2, 0}, {-2, 1}, {2, 1}};
    tokenizer_source.max_word_chars = kind & 1 ? UINT64_MAX : 100;
    tokenizer_source.set_normalizer((kind & 2) == 0, (kind & 2) == 0, (kind & 1) == 0, (kind & 2) == 0);
    std::vector<kinglet::convert::AddedToken> added;
    const char* contents[] = {"[MASK]", "<s>", " ", "ab", "É", "[", "b"};
    for (unsigned i = 0; i < std::size(contents); ++i) {
      kinglet::convert::AddedToken token;
      token.content = contents[i];
      token.normalized = i % 2 == (kind & 1);
      token.lstrip = (i & 1) != 0;
      token.rstrip = (i & 2) != 0;
      token.single_word = (i & 4) != 0;
      added.push_back(token);
    }
    tokenizer_source.add_tokens(added);
    open(std::move(loaded));
  }

  void open(kinglet::convert::LoadedTokenizer loaded) {
    const auto compiled = kinglet::convert::compile_tokenizer(std::move(loaded));
    builder.Finish(compiled->write(builder));
    kinglet::Error error;
    if (Tokenizer::open(*flatbuffers::GetRoot<kinglet::fmt::Tokenizer>(builder.GetBufferPointer()), compiled->size(), 2,
                        &tokenizer, error) != KINGLET_OK) {
      std::abort();
    }
  }
};

// Encodes into arrays that are exactly as long as they are said to be, and checks what must hold for every text.
void encode(const Tokenizer& tokenizer, std::string_view prefix, std::string_view text, const std::string_view* pair,
            size_t max_length, size_t capacity) {
  std::vector<int32_t> ids(capacity), types(capacity);
  std::vector<kinglet_span> offsets(capacity);
  TokenSink sink{ids.data(), types.data(), offsets.data(), capacity, 0, false};
  kinglet::Error error;
  if (tokenizer.encode(prefix, text, pair, max_length, sink, error) != KINGLET_OK) {
    return;
  }
  const size_t longest = pair != nullptr && pair->size() > text.size() ? pair->size() : text.size();
  for (size_t i = 0; i < sink.size && i < capacity; ++i) {
    if (offsets[i].begin != KINGLET_NO_OFFSET && (offsets[i].end < offsets[i].begin || offsets[i].end > longest)) {
      std::abort();
    }
    if (ids[i] < 0) {
      std::abort();
    }
  }
}

const Fixed& fixed_tokenizer(unsigned kind) {
  static const std::unique_ptr<Fixed> fixed[] = {
      std::make_unique<Fixed>(0), std::make_unique<Fixed>(1), std::make_unique<Fixed>(2), std::make_unique<Fixed>(3),
      std::make_unique<Fixed>(4), std::make_unique<Fixed>(5), std::make_unique<Fixed>(6), std::make_unique<Fixed>(7),
      std::make_unique<Fixed>(8), std::make_unique<Fixed>(9)};
  return *fixed[kind % std::size(fixed)];
}

void fuzz_text(const Tokenizer& tokenizer, size_t max_length, std::string_view data) {
  std::string_view parts[3];
  size_t count = 0;
  for (; count < 2; ++count) {
    const size_t end = data.find("\xff\xfe");
    if (end == std::string_view::npos) {
      break;
    }
    parts[count] = data.substr(0, end);
    data.remove_prefix(end + 2);
  }
  parts[count] = data;
  const std::string_view prefix = count > 0 ? parts[0] : std::string_view();
  const std::string_view text = count > 0 ? parts[1] : parts[0];
  const std::string_view* pair = count > 1 ? &parts[2] : nullptr;
  encode(tokenizer, prefix, text, pair, max_length, max_length == 0 ? 4 * (data.size() + text.size()) : max_length);
}

void fuzz_table(const uint8_t* data, size_t size) {
  // FlatBuffers want aligned memory, as the loader gives them.
  std::vector<uint64_t> aligned((size + 7) / 8);
  std::copy(data, data + size, reinterpret_cast<uint8_t*>(aligned.data()));
  const auto* bytes = reinterpret_cast<const uint8_t*>(aligned.data());
  flatbuffers::Verifier verifier(bytes, size);
  if (!verifier.VerifyBuffer<kinglet::fmt::Tokenizer>(nullptr)) {
    return;
  }
  Tokenizer tokenizer;
  kinglet::Error error;
  if (Tokenizer::open(*flatbuffers::GetRoot<kinglet::fmt::Tokenizer>(bytes), 1 << 20, 2, &tokenizer, error) !=
      KINGLET_OK) {
    return;
  }
  const std::string_view own(reinterpret_cast<const char*>(data), size < 512 ? size : 512);
  encode(tokenizer, {}, own, nullptr, 0, 64);
  encode(tokenizer, "a\xcc", "\x81 [MASK] ab\xe3\x80\xae\xcc\x81 中가é!<s>", &own, 9, 9);
  for (int32_t id = -1; id < 64; ++id) {
    (void)tokenizer.token(id);
  }
}

void fuzz_changed(unsigned kind, const uint8_t* data, size_t size) {
  const flatbuffers::FlatBufferBuilder& table = fixed_tokenizer(kind).builder;
  std::vector<uint8_t> bytes(table.GetBufferPointer(), table.GetBufferPointer() + table.GetSize());
  for (size_t i = 0; i + 4 <= size; i += 4) {
    bytes[(data[i] | size_t{data[i + 1]} << 8 | size_t{data[i + 2]} << 16) % bytes.size()] = data[i + 3];
  }
  fuzz_table(bytes.data(), bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    const unsigned kind = data[0] >> 1;
    fuzz_text(fixed_tokenizer((kind & 3) | (kind >> 4 & 4)).tokenizer, kind >> 2 & 15, text);
  } else if (data[0] % 8 == 3) {
    fuzz_changed(data[0] >> 3, data + 1, size - 1);
  } else if (data[0] % 8 == 5) {
    fuzz_text(fixed_tokenizer(8 + (data[0] >> 3 & 1)).tokenizer, data[0] >> 4, text);
  } else {
    fuzz_table(data + 1, size - 1);
  }
  return 0;
}
