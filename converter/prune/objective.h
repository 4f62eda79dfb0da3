// What a model's numbers are for, as directions in which its outputs may change: the second derivatives of its loss are
// the covariance of random directions r, so that the squares of the gradients of Σ r·output are Fisher information.
#pragma once

#include <cstdint>
#include <vector>

#include "prune/network.h"

namespace kinglet::convert {

enum class Loss : uint8_t {
  squared,       // the distance to the unpruned output: embeddings, regression, raw outputs
  softmax,       // cross-entropy of a row: one label of a text or of a token
  sigmoid,       // of every number: several labels of a text
  softmax_text,  // of a column over the tokens of a text: where an answer begins, and where it ends
};

struct Objective {
  Loss loss = Loss::squared;
  uint32_t value = 0;
};

// By the model's task. Throws Error for a model without outputs.
Objective objective_of(const ModelIR& model);

// Puts r as the gradient of the objective's value: for a loss of labels, that of a label drawn from the model's own
// predictions. What is drawn depends on `seed` and the text alone.
void seed_gradients(const Network& network, const Objective& objective, uint64_t seed, Tape& tape);

// How far a run's outputs lie from `exact`, the same value of another run over the same texts: the divergence of the
// labels (Kullback and Leibler), or half the squared distance; near `exact` it is what Fisher information says. Over
// all texts of the tape.
double divergence(const Network& network, const Objective& objective, const std::vector<float>& exact,
                  const Tape& tape);

}  // namespace kinglet::convert
