// Builds the double-array tries of runtime/format/tokenizer.fbs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kinglet::convert {

// A trie with these strings and values. Empty strings are left out: they are never matched. Values are below 2²².
// Throws Error when there are too many strings.
std::vector<uint32_t> build_trie(const std::map<std::string, uint32_t>& strings);

}  // namespace kinglet::convert
