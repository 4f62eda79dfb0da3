// MPNet, ModernBERT and DeBERTa in double precision, written down plainly from transformers' modeling files, with
// random checkpoints of any size: what converted files are compared with where no recorded output fits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "fixtures.h"

namespace kinglet::test {

using Rows = std::vector<std::vector<double>>;

// A checkpoint: config.json's fields and the tensors.
struct RandomModel {
  Json config;
  Tensors tensors;

  void write(const std::filesystem::path& folder) const;
};

struct RelativeShape {
  uint32_t hidden = 52, heads = 2, layers = 3, intermediate = 70, vocabulary = 41, positions = 310;
};

RandomModel random_mpnet(const RelativeShape& shape, uint32_t seed);
// With or without biases everywhere. Layers 0, 2, … see everything, the others `local` / 2 tokens to each side.
RandomModel random_modernbert(const RelativeShape& shape, bool biased, uint32_t local, uint32_t seed);
struct DebertaShape : RelativeShape {
  bool c2p = true, p2c = true, shared = true, normed = true;
  uint32_t buckets = 16, farthest = 0, embedding = 52, kernel = 0, groups = 1, types = 0;
  bool position_biased = false;
};
RandomModel random_deberta_v2(const DebertaShape& shape, uint32_t seed);
RandomModel random_deberta_v1(const DebertaShape& shape, uint32_t seed);

// last_hidden_state of the ids.
Rows reference_mpnet(const RandomModel& model, const std::vector<int32_t>& ids);
Rows reference_modernbert(const RandomModel& model, const std::vector<int32_t>& ids);
Rows reference_deberta(const RandomModel& model, const std::vector<int32_t>& ids);

}  // namespace kinglet::test
