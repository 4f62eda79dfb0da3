// Which tokens of a vocabulary must stay when others go.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tokenizers/auto_tokenizer.h"

namespace kinglet::convert {

// Extends `keep` (by id; as long as the tokenizer has ids) so that
// - a text all of whose tokens are kept becomes the same tokens as before, and
// - any other text becomes no unknown token where it had none.
// Added and special tokens, the unknown token and those of the templates stay, and
//
// WordPiece: every piece of one character, with and without the mark of continuation. The longest match among all
// pieces, when it is kept, is the longest match among those kept; and one character always matches.
//
// BPE: the letters of the bytes (or single characters), and for every token what comes in between when its own letters
// are merged. A merge is left in the tables when both parts and the result are kept. Say all final tokens of a word are
// kept. No merge ever crossed their borders, so each was made from its own letters, in the order that these have alone:
// all results are kept. By induction the merge with the least rank among all is available among those left, and it is
// the least there, too.
//
// Unigram: pieces of one character, bytes, and the piece with the least score, since the score of an unknown character
// is that minus 10. The best path over all pieces, when its pieces are kept, is the best among those kept: fewer
// competitors can only be worse. Of equal ones the first wins, and that stays the first. Where one character has a
// piece of its own, no unknown one is considered.
//
// Throws Error when a WordPiece or Unigram vocabulary has a piece with a character that is no piece of its own, for
// then removing any other piece could change what becomes unknown. `source` stands in it.
void keep_needed(const LoadedTokenizer& loaded, const std::string& source, std::vector<bool>* keep);

}  // namespace kinglet::convert
