// A checkpoint's tokenizer files without some of their tokens, in whatever form they are.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tokenizers/auto_tokenizer.h"

namespace kinglet::convert {

// New ids for old ones: tokens of the model's own vocabulary in their order, then added ones, without gaps, which is
// how `tokenizers` gives ids to what it adds.
class TokenIds {
 public:
  // `keep` by old id; those without a token are left out.
  TokenIds(const SourceTokenizer& tokenizer, const std::vector<bool>& keep);

  // By new id.
  const std::vector<uint32_t>& old_ids() const { return old_ids_; }
  // Nothing for an id that is gone, or had no token.
  std::optional<uint32_t> new_id(uint64_t old_id) const;
  // Of a token of the vocabulary or an added one.
  std::optional<uint32_t> new_id(const std::string& token) const;
  // Whether a piece with this old id and text is one of the vocabulary that stays.
  bool has_piece(const std::string& text) const { return pieces_.count(text) != 0; }
  std::optional<uint32_t> piece(const std::string& text) const;

 private:
  std::vector<uint32_t> old_ids_;
  std::map<uint64_t, uint32_t> new_ids_;
  std::map<std::string, uint32_t> pieces_, added_;
};

// The files of `folder` that hold tokens or ids, rewritten, by name; nothing for those that cannot be and that neither
// transformers nor kinglet needs. `unknown`: the old id of Unigram's unknown piece. Throws Error, by name, for what
// cannot be rewritten.
std::map<std::string, std::optional<std::string>> prune_tokenizer_files(const std::filesystem::path& folder,
                                                                        const SourceTokenizer& tokenizer,
                                                                        const TokenIds& ids);

// Throws Error unless the tokenizer of `folder` is what `before` becomes under the new ids: for a look at what was
// written.
void check_pruned_tokenizer(const std::filesystem::path& folder, const LoadedTokenizer& before, const TokenIds& ids);

}  // namespace kinglet::convert
