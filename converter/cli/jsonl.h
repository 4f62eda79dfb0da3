// One line of --jsonl input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kinglet::cli {

// Which fields a command understands.
enum RequestFields : unsigned {
  kFieldText = 1,
  kFieldPair = 2,
  kFieldIds = 4,
  kFieldTypeIds = 8,
  kFieldLang = 256,  // goes with ids where type_ids do: every token's type id, read into `type_ids`
};

struct Request {
  unsigned fields = 0;  // those that were given
  std::string text;
  std::string pair;
  std::vector<int32_t> ids;
  std::vector<int32_t> type_ids;
  int32_t lang = 0;
};

// Reads one JSON object with the `allowed` fields and nothing else: {"text"}, {"text","pair"}, {"ids"},
// {"ids","lang"} or {"ids","type_ids"}. False with a message that says where (a column, counted in bytes from 1) and what was expected:
// unknown and repeated fields, other types, numbers that are not 32-bit integers, text before or after the object.
// Strings may hold invalid UTF-8, which is passed on as it is. A \u escape of half a surrogate pair, which no UTF-8
// text can hold, becomes one U+FFFD. Time is linear and stack use constant, whatever the line nests.
bool parse_request(std::string_view line, unsigned allowed, Request* request, std::string* error);

}  // namespace kinglet::cli
