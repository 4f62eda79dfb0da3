// White space at the ends of tokens, which RoBERTa's post-processor takes off their ranges.
#pragma once

#include <cstddef>
#include <cstdint>

#include "tokenizer/encoder.h"

namespace kinglet {

// How many of a token's characters at either end are white space.
struct Margins {
  size_t leading = 0, trailing = 0;
  bool inside = false;  // something else was there

  void add(bool space) {
    leading += space && !inside;
    inside = inside || !space;
    trailing = space ? trailing + 1 : 0;
  }
};

// Those of an added token that was found.
template <typename Stream>
Margins margins_of(const EncoderTables& tables, const Piece& piece, const AddedTokenSearch<Stream>& search) {
  Margins margins;
  if (tables.rules.trim() != 0) {
    Element element;
    Stream look = search.start();
    while (look.index() < search.stop().index() && look.next(piece, element)) {
      // The letter that stands for a space in byte-level vocabularies counts as one too.
      margins.add(code_point(element) == 0x120 || tables.neighbours.spaces.contains(element));
    }
  }
  return margins;
}

// As process_offsets of the post-processor ByteLevel: in characters of the source. `first`: of the text's tokens.
inline void trim(const EncoderTables& tables, const Source& source, const Margins& margins, bool first, size_t& begin,
                 size_t& end) {
  if (margins.leading == 0 && margins.trailing == 0) {
    return;
  }
  const bool keep = (tables.rules.trim() & Rules::kPrefixed) != 0 && margins.leading == 1 && (first || begin == 0);
  size_t chars = 0;
  for (size_t at = begin; at < end; ++chars) {
    decode(source, end, at);
  }
  const size_t leading = keep ? 0 : margins.leading;
  const size_t skipped = leading < chars ? leading : chars;
  size_t left = chars > margins.trailing ? chars - margins.trailing : 0;
  left = left > skipped ? left : skipped;
  size_t at = begin;
  for (size_t i = 0; i < left; ++i) {
    begin = i == skipped ? at : begin;
    decode(source, end, at);
  }
  begin = left == skipped ? at : begin;
  end = at;
}

}  // namespace kinglet
