// Byte offsets turned into the unit that the app's language counts in.
#pragma once

#include <cstddef>
#include <string_view>

#include "kinglet.h"

namespace kinglet {

// Converts `count` byte offsets of tokens of `text` in place; those that are KINGLET_NO_OFFSET stay. An invalid UTF-8
// sequence counts as the one U+FFFD that it is read as. Time is linear where offsets do not decrease.
// `stride`: bytes from one of them to the next, for spans that are members of something.
void convert_offsets(kinglet_offset_unit unit, std::string_view text, kinglet_span* offsets, size_t count,
                     size_t stride = sizeof(kinglet_span));

}  // namespace kinglet
