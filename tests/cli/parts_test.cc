// Parts of the command line that need a closer look than through the executable: UTF-8, JSON numbers, JSON lines.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

#include "cli/jsonl.h"
#include "cli/text.h"

using namespace kinglet::cli;

namespace {

std::string json(std::string_view text) {
  std::string out;
  append_json(out, text);
  return out;
}

std::string json(float number) {
  std::string out;
  append_json(out, number);
  return out;
}

// What Python's bytes.decode(errors="replace") makes of it.
std::string replaced(std::string_view bytes) {
  std::string out;
  for (size_t at = 0, length = 0; at < bytes.size(); at += length) {
    append_utf8(out, decode_utf8(bytes, at, &length));
  }
  return out;
}

const std::string kBad = "\xef\xbf\xbd";

}  // namespace

TEST_CASE("every code point survives encoding and decoding") {
  for (char32_t code = 0; code < 0x110000; ++code) {
    if (code >= 0xd800 && code <= 0xdfff) {
      continue;
    }
    std::string text;
    append_utf8(text, code);
    size_t length = 0;
    REQUIRE(decode_utf8(text, 0, &length) == code);
    REQUIRE(length == text.size());
  }
}

TEST_CASE("bad sequences become one U+FFFD each, as in Python") {
  CHECK(replaced("\xff\xfe") == kBad + kBad);
  CHECK(replaced("a\x80") == "a" + kBad);
  CHECK(replaced("\xe2\x82") == kBad);              // cut short: one
  CHECK(replaced("\xe2\x82z") == kBad + "z");
  CHECK(replaced("\xf0\x9f\x98") == kBad);
  CHECK(replaced("\xc0\x80") == kBad + kBad);       // overlong
  CHECK(replaced("\xe0\x80\x80") == kBad + kBad + kBad);
  CHECK(replaced("\xed\xa0\x80") == kBad + kBad + kBad);  // a surrogate
  CHECK(replaced("\xf4\x90\x80\x80") == kBad + kBad + kBad + kBad);
  CHECK(replaced("\xf5") == kBad);
}

TEST_CASE("JSON strings") {
  CHECK(json("a\"b\\c/\n\r\t\x01\x7f") == "\"a\\\"b\\\\c/\\n\\r\\t\\u0001\\u007f\"");
  CHECK(json(std::string_view("\0", 1)) == "\"\\u0000\"");
  CHECK(json("é𝄞\xff") == "\"é𝄞" + kBad + "\"");
}

TEST_CASE("JSON numbers read back as the same float") {
  CHECK(json(0.0f) == "0");
  CHECK(json(-0.0f) == "-0");
  CHECK(json(0.1f) == "0.100000001");
  CHECK(json(1e10f) == "1e+10");
  CHECK(json(std::numeric_limits<float>::denorm_min()) == "1.40129846e-45");
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 200000; ++i) {
    const uint32_t bits = random();
    float number, again;
    std::memcpy(&number, &bits, 4);
    if (std::isfinite(number)) {
      again = std::strtof(json(number).c_str(), nullptr);
      REQUIRE(std::memcmp(&number, &again, 4) == 0);
    }
  }
}

TEST_CASE("what a terminal shows has no control characters and is one line") {
  CHECK(shorten("a\nb\x1b[31m\x7f\xc2\x9b", 99) == "a b [31m  ");
  CHECK(shorten("\xe2\x80\xae" "abc", 99) == kBad + "abc");
  CHECK(shorten("éééé", 3) == "ééé…");
  CHECK(shorten("ééé", 3) == "ééé");
  CHECK(shorten("", 0).empty());
  CHECK(group_digits(0) == "0");
  CHECK(group_digits(999) == "999");
  CHECK(group_digits(1000) == "1,000");
  CHECK(group_digits(1234567890) == "1,234,567,890");
}

TEST_CASE("a JSON line") {
  constexpr unsigned kAll = kFieldText | kFieldPair | kFieldIds | kFieldTypeIds;
  Request request;
  std::string error;
  REQUIRE(parse_request(R"({"pair":"b","text":"\"\\\/\b\f\n\r\t\u00e9"})", kAll, &request, &error));
  CHECK(request.text == "\"\\/\b\f\n\r\té");
  CHECK(request.pair == "b");
  CHECK(request.fields == (kFieldText | kFieldPair));
  REQUIRE(parse_request(R"( { "ids" : [ 0 , -0, 2147483647 , -2147483648 ] , "type_ids":[1,2,3,4] } )", kAll, &request,
                        &error));
  CHECK(request.ids == std::vector<int32_t>{0, 0, INT32_MAX, INT32_MIN});
  CHECK(request.fields == (kFieldIds | kFieldTypeIds));
  CHECK_FALSE(parse_request(R"({"ids":[1]})", kFieldText, &request, &error));
  CHECK(error == "column 2: unknown field \"ids\"; expected \"text\"");
  CHECK_FALSE(parse_request(R"({"text":1})", kAll, &request, &error));
  CHECK(error == "column 9: expected a string for \"text\"");
  CHECK_FALSE(parse_request(std::string("{\"text\":\"a\"}\0", 13), kAll, &request, &error));
  CHECK(error.find("unexpected text after the object") != std::string::npos);
}

TEST_CASE("a JSON line with a language: it is the type id of every token") {
  constexpr unsigned kAll = kFieldText | kFieldIds | kFieldTypeIds;
  Request request;
  std::string error;
  REQUIRE(parse_request(R"({"lang":2,"ids":[7,8,9]})", kAll, &request, &error));
  CHECK(request.type_ids == std::vector<int32_t>{2, 2, 2});
  CHECK((request.fields & kFieldTypeIds) != 0);
  for (const char* line : {R"({"text":"a","lang":2})", R"({"ids":[1],"type_ids":[0],"lang":2})",
                           R"({"ids":[1],"lang":[2]})", R"({"ids":[1],"lang":1.5})", R"({"lang":2})"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_request(line, kAll, &request, &error));
  }
  CHECK_FALSE(parse_request(R"({"ids":[1],"lang":2})", kFieldText | kFieldIds, &request, &error));
}

TEST_CASE("every beginning of a good line is an error, and none reads past its end") {
  const std::string line = R"({"text":"a\ud834\udd1e\n","pair":"\u00e9"})";
  for (size_t size = 0; size < line.size(); ++size) {
    const std::vector<char> exact(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(size));
    Request request;
    std::string error;
    CHECK_FALSE(parse_request({exact.data(), exact.size()}, kFieldText | kFieldPair, &request, &error));
    CHECK_FALSE(error.empty());
  }
}
