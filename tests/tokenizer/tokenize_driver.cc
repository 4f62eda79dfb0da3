// Tokenizes requests from stdin for fuzz_against_hf.py.
//
//   tokenize_driver FOLDER             binary requests on stdin, binary replies on stdout
//   tokenize_driver FOLDER --table F   writes the tokenizer's table to file F as a seed for tokenizer_fuzz
//   tokenize_driver FOLDER --bench F   tokenizes the lines of file F five times; prints the least processor time
//
// request: u32 has_pair, max_length, prefix bytes, text bytes, pair bytes; then these bytes
// reply:   i32 status, u32 truncated, count; then count × { i32 id, i32 type, u32 begin, u32 end }
// A request with has_pair 2 asks for all replies since the last such one: u32 how many numbers, and the replies.
// All numbers are little-endian. The table's size goes to stderr.
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include "compiled.h"

namespace {

using kinglet::TokenSink;

bool read_exactly(void* out, size_t size) { return size == 0 || std::fread(out, size, 1, stdin) == 1; }

int serve(const kinglet::test::Compiled& compiled) {
  std::string prefix, text, pair;
  std::vector<int32_t> ids, types;
  std::vector<kinglet_span> offsets;
  std::vector<uint32_t> replies;
  for (;;) {
    uint32_t head[5];
    if (!read_exactly(head, sizeof(head))) {
      return 0;
    }
    if (head[0] == 2) {
      const auto count = static_cast<uint32_t>(replies.size());
      std::fwrite(&count, 4, 1, stdout);
      std::fwrite(replies.data(), 4, replies.size(), stdout);
      if (std::fflush(stdout) != 0) {
        return 1;
      }
      replies.clear();
      continue;
    }
    prefix.resize(head[2]);
    text.resize(head[3]);
    pair.resize(head[4]);
    if (!read_exactly(prefix.data(), head[2]) || !read_exactly(text.data(), head[3]) ||
        !read_exactly(pair.data(), head[4])) {
      return 1;
    }
    const size_t capacity = 4 * (text.size() + pair.size() + prefix.size()) + 64;
    if (ids.size() < capacity) {
      ids.resize(capacity);
      types.resize(capacity);
      offsets.resize(capacity);
    }
    TokenSink sink{ids.data(), types.data(), offsets.data(), capacity, 0, false};
    kinglet::Error error;
    const std::string_view second = pair;
    const kinglet_status status =
        compiled.tokenizer().encode(prefix, text, head[0] ? &second : nullptr, head[1], sink, error);
    const auto count = static_cast<uint32_t>(status == KINGLET_OK ? sink.size : 0);
    replies.insert(replies.end(), {static_cast<uint32_t>(status), sink.truncated, count});
    for (uint32_t i = 0; i < count; ++i) {
      replies.insert(replies.end(), {static_cast<uint32_t>(ids[i]), static_cast<uint32_t>(types[i]), offsets[i].begin,
                                     offsets[i].end});
    }
  }
}

int bench(const kinglet::test::Compiled& compiled, const char* file) {
  std::ifstream stream(file);
  std::vector<std::string> lines;
  size_t bytes = 0;
  for (std::string line; std::getline(stream, line); bytes += line.size()) {
    lines.push_back(line);
  }
  std::vector<int32_t> ids(1 << 20), types(1 << 20);
  std::vector<kinglet_span> offsets(1 << 20);
  double best = 1e9;
  size_t tokens = 0;
  for (int round = 0; round < 5; ++round) {
    tokens = 0;
    const std::clock_t begin = std::clock();
    for (const std::string& line : lines) {
      TokenSink sink{ids.data(), types.data(), offsets.data(), ids.size(), 0, false};
      kinglet::Error error;
      compiled.tokenizer().encode({}, line, nullptr, 0, sink, error);
      tokens += sink.size;
    }
    best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  std::printf("%zu lines, %zu bytes, %zu tokens: %.6f s\n", lines.size(), bytes, tokens, best);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) {
      std::fprintf(stderr, "usage: tokenize_driver FOLDER [--bench FILE]\n");
      return 2;
    }
    const auto begin = std::chrono::steady_clock::now();
    const kinglet::test::Compiled compiled(argv[1]);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto open_begin = std::chrono::steady_clock::now();
    kinglet::Tokenizer again;
    kinglet::Error error;
    (void)kinglet::Tokenizer::open(compiled.table(), compiled.compiled().size(), 0, &again, error);
    const double open_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - open_begin).count();
    std::fprintf(stderr, "%u tokens, table %zu bytes, compiled in %.0f ms, opens in %.2f ms\n",
                 compiled.compiled().size(), compiled.bytes().size(), seconds * 1e3, open_seconds * 1e3);
    if (argc >= 4 && std::strcmp(argv[2], "--table") == 0) {
      std::ofstream(argv[3], std::ios::binary) << '\1' << compiled.bytes();
      return 0;
    }
    return argc >= 4 && std::strcmp(argv[2], "--bench") == 0 ? bench(compiled, argv[3]) : serve(compiled);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 1;
  }
}
