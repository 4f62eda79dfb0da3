// What `tokenizers` 0.22.2 knows about Unicode (unicode_tables.inc, observed by probe_unicode.py).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace kinglet::convert::unicode {

struct Range {
  uint32_t first, last;
};

bool removed(uint32_t code_point);      // by clean_text
bool to_space(uint32_t code_point);     // becomes U+0020 by clean_text
bool chinese(uint32_t code_point);      // gets spaces around it by handle_chinese_chars
bool mark(uint32_t code_point);         // removed by strip_accents, after NFD
bool space(uint32_t code_point);        // white space
bool punctuation(uint32_t code_point);  // isolated by BertPreTokenizer
bool combining(uint32_t code_point);    // removed by StripAccents
bool letter(uint32_t code_point);       // \p{L} of Oniguruma, as are
bool number(uint32_t code_point);       // \p{N}
bool onig_space(uint32_t code_point);   // and \s
bool compatible(uint32_t code_point);   // has a compatibility decomposition that is not its canonical one
int cluster_part(uint32_t code_point);  // in grapheme clusters, as in CharClasses of tokenizer.fbs
uint8_t combining_class(uint32_t code_point);

// In none of the sets above and below: a letter, say, that no setting changes.
bool ordinary(uint32_t code_point);

// Lower case, and full canonical decomposition (of Hangul syllables too). Neither depends on the context.
std::vector<uint32_t> lower(uint32_t code_point);
std::vector<uint32_t> decompose(uint32_t code_point);
std::vector<uint32_t> decompose_compatible(uint32_t code_point);

// For every code point, whether NFC can change it or join it to what stands before it.
std::vector<bool> combines();
// First, second, composite; ascending, without Hangul syllables.
std::vector<std::array<uint32_t, 3>> compositions();

// White space and word characters as first, last, first, last, …
std::vector<uint32_t> space_bounds();
std::vector<uint32_t> word_bounds();

inline constexpr uint32_t kHangulFirst = 0xac00, kHangulLast = 0xac00 + 11171;

void append_utf8(std::string& text, uint32_t code_point);

}  // namespace kinglet::convert::unicode
