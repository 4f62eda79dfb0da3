// Smaller vocabularies: tokens that given texts do not have go, with their rows.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "writer/checkpoint_folder.h"

namespace kinglet::convert {

struct VocabularyOptions {
  std::filesystem::path texts;  // as calibrate/texts.h reads them
  uint64_t min_count = 1;       // tokens seen fewer times go
  std::function<void(double fraction)> progress;
};

// How often a checkpoint's tokenizer gives each token for given texts, which are not cut.
struct TokenCounts {
  uint64_t texts = 0;
  std::vector<uint64_t> counts;  // by id
  std::vector<bool> prompted;    // by id: in a text that the model itself puts before others

  // Tokens seen at least once.
  uint32_t seen() const;
};

struct VocabularyResult {
  uint64_t texts = 0;   // that were tokenized
  uint32_t before = 0;  // rows of the token embedding
  uint32_t seen = 0;    // tokens seen at least once
  uint32_t after = 0;   // rows left: seen often enough, or needed (kept_tokens.h)
};

// `texts`: as calibrate/texts.h reads them; `progress` may be empty. Throws Error, by name, for checkpoints without a
// tokenizer, with one that `convert` does not read, or with fewer rows of the token embedding than ids.
TokenCounts count_tokens(const CheckpointFolder& folder, const std::filesystem::path& texts,
                         const std::function<void(double fraction)>& progress);

// Takes the tokens that are seen fewer than `min_count` times, and not prompted, out of `folder`, which `counts` is of,
// as read_checkpoint_folder gives it or as other passes left it: rows of the token embedding, of a decoder that is not
// tied to it and of its bias; vocab_size and every …_token_id of the configuration; every tokenizer file. Texts all of
// whose tokens stay become the same tokens (under new ids), so the model computes the same for them; other texts become
// smaller pieces, and no unknown token where they had none. Nothing is written yet. Throws Error, by name, for tensors
// of as many rows as the vocabulary that are not known.
VocabularyResult prune_vocabulary(CheckpointFolder& folder, const TokenCounts& counts, uint64_t min_count);

// Both.
VocabularyResult prune_vocabulary(CheckpointFolder& folder, const VocabularyOptions& options);

}  // namespace kinglet::convert
