// The checksum against its definition in runtime/format/README.md, written here a second time, number by number.
#include "format/checksum.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

using kinglet::format::checksum;

uint64_t word(const std::vector<uint8_t>& bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) {
    value |= (at + i < bytes.size() ? uint64_t{bytes[at + i]} : 0) << (8 * i);
  }
  return value;
}

uint64_t by_definition(const std::vector<uint8_t>& bytes) {
  uint64_t lane[8] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                      0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
  const uint64_t multiplier[8] = {0x6a09e47d, 0xbb67ade3, 0x3c6ef370, 0xa54ff392,
                                  0x510e4e61, 0x9b0563dd, 0x1f83d986, 0x5be0c8d6};
  for (size_t at = 0; at < bytes.size(); at += 64) {
    for (size_t i = 0; i < 8; ++i) {
      const uint64_t y = lane[i] ^ word(bytes, at + 8 * i);
      lane[i] = (y % (uint64_t{1} << 32)) * multiplier[i] + (y >> 32);
    }
  }
  uint64_t hash = bytes.size() * 0x9e3779b97f4a7c15;
  for (size_t i = 0; i < 8; ++i) {
    hash = (hash ^ lane[i]) * 0xff51afd7ed558ccd;
    hash ^= hash >> 32;
  }
  hash *= 0xc4ceb9fe1a85ec53;
  return hash ^ (hash >> 32);
}

std::vector<uint8_t> random_bytes(size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<uint8_t> bytes(size);
  for (uint8_t& byte : bytes) {
    byte = static_cast<uint8_t>(random());
  }
  return bytes;
}

uint64_t checksum_of(const std::string& text) { return checksum(text.data(), text.size()); }

}  // namespace

// These numbers are part of the format: a file made today must be readable for ever.
TEST_CASE("the examples of the README") {
  CHECK(checksum_of("") == 0xfea9dbdf788c949);
  CHECK(checksum_of("kinglet") == 0x937c7ea2e3ad548f);
  CHECK(checksum_of(std::string(64, '\0')) == 0xcde883f5d1d3b7de);
  std::string counting;
  for (int i = 0; i < 256; ++i) {
    counting.push_back(static_cast<char>(i));
  }
  CHECK(checksum_of(counting) == 0xa50c771745657ee0);
}

TEST_CASE("equals its definition for every size and alignment") {
  const std::vector<uint8_t> bytes = random_bytes(400, 1);
  for (size_t size = 0; size <= 300; ++size) {
    for (size_t from = 0; from < 9; ++from) {
      CAPTURE(size);
      CAPTURE(from);
      REQUIRE(checksum(bytes.data() + from, size) ==
              by_definition({bytes.begin() + static_cast<long>(from), bytes.begin() + static_cast<long>(from + size)}));
    }
  }
}

TEST_CASE("bytes that come in pieces have the same checksum") {
  const std::vector<uint8_t> bytes = random_bytes(1000, 2);
  const uint64_t whole = checksum(bytes.data(), bytes.size());
  for (size_t piece = 64; piece < 1000; piece += 64) {
    kinglet::format::Checksum sum;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      sum.add(bytes.data() + at, std::min(piece, bytes.size() - at));
    }
    CAPTURE(piece);
    CHECK(sum.finish() == whole);
  }
}

TEST_CASE("any one byte that changes changes the checksum, by a half of its bits") {
  std::vector<uint8_t> bytes = random_bytes(200, 3);
  const uint64_t before = checksum(bytes.data(), bytes.size());
  size_t changed_bits = 0, changes = 0;
  for (uint8_t& byte : bytes) {
    for (int mask = 1; mask < 256; ++mask) {
      byte ^= static_cast<uint8_t>(mask);
      const uint64_t after = checksum(bytes.data(), bytes.size());
      byte ^= static_cast<uint8_t>(mask);
      REQUIRE(after != before);
      changed_bits += static_cast<size_t>(__builtin_popcountll(after ^ before));
      ++changes;
    }
  }
  const double mean = static_cast<double>(changed_bits) / static_cast<double>(changes);
  CHECK(mean > 31);
  CHECK(mean < 33);
}

TEST_CASE("zeros at the end, exchanged words and exchanged stripes change the checksum") {
  std::vector<uint8_t> bytes = random_bytes(256, 4);
  const uint64_t before = checksum(bytes.data(), bytes.size());
  std::vector<uint8_t> longer = bytes;
  longer.push_back(0);
  CHECK(checksum(longer.data(), longer.size()) != before);
  std::vector<uint8_t> words = bytes;
  std::swap_ranges(words.begin(), words.begin() + 8, words.begin() + 8);
  CHECK(checksum(words.data(), words.size()) != before);
  std::vector<uint8_t> stripes = bytes;
  std::swap_ranges(stripes.begin(), stripes.begin() + 64, stripes.begin() + 64);
  CHECK(checksum(stripes.data(), stripes.size()) != before);
}
