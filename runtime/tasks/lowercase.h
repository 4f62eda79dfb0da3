// Texts that differ by case only, as Python's str.lower() has it.
#pragma once

#include <cstdint>
#include <string_view>

namespace kinglet {

// One character in lower case. U+0130, which Python turns into two characters, is kept; the final sigma is a sigma.
uint32_t lowercase(uint32_t code_point);

// Both take time linear in the texts.
uint64_t hash_lowercase(std::string_view text);
bool equal_lowercase(std::string_view a, std::string_view b);

}  // namespace kinglet
