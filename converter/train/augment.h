// More texts for a teacher to judge: copies with some words replaced by words that the teacher embeds nearby, as
// TinyBERT does (Jiao et al., 2020).
#pragma once

#include <cstdint>
#include <vector>

#include "ir/model_ir.h"
#include "train/examples.h"

namespace kinglet::train {

struct Augmentation {
  uint32_t copies = 1;
  double share = 0.15;  // of the whole words of a text
  uint64_t seed = 1;
};

// Appends the copies, without labels. Only words that are one token are replaced, by one of their 15 nearest neighbours
// (cosine) among the 8,192 most frequent of the examples; special tokens and parts of words stay.
void augment(const convert::ModelIR& teacher, const Model& tokens, const Augmentation& settings, ExampleSet* set);

}  // namespace kinglet::train
