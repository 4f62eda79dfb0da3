// The surgery: layer by layer from the bottom, what a plan removes is removed, and the last product of every residual
// branch is solved anew so that the pruned model's residual stream comes as near to the dense model's as it can.
#pragma once

#include <cstdint>
#include <vector>

#include "prune/importance.h"
#include "prune/removal.h"

namespace kinglet::convert {

// How much of every layer stays; neither a head nor a neuron: the layer is gone.
struct Sizes {
  std::vector<uint32_t> heads, neurons;

  bool has_layer(size_t layer) const { return heads[layer] > 0; }
};

// Which of the original heads and neurons are there, by layer, ascending; none: the layer is gone.
struct Kept {
  std::vector<std::vector<uint32_t>> heads, neurons;

  bool has_layer(size_t layer) const { return !heads[layer].empty(); }
  std::vector<bool> layers() const {
    std::vector<bool> there;
    for (size_t i = 0; i < heads.size(); ++i) {
      there.push_back(has_layer(i));
    }
    return there;
  }
};
Kept keep_all(const std::vector<EncoderLayer>& layers);

struct Fitting {
  double ridge = 0;     // how far weights are drawn to what they were, relative to the mean square of the inputs
  double evenness = 0;  // of the tokens' weights: this much of their mean is added to all
  size_t threads = 1;
};

// What the parts of every branch are worth: groups in the order in which they may go, and the errors that remain.
struct Orders {
  std::vector<Removal> attention, feed_forward;
};
// Of the layers that `network` has (`present`); nothing for others.
Orders order_removals(const Network& network, const std::vector<EncoderLayer>& layers, const Sizes& present,
                      const Tokens& tokens, const Importance& importance, const Fitting& fitting, uint32_t tile,
                      const Fraction& progress);

// Changes `pruned`, which is as `dense`, until it has `sizes`, and `kept` accordingly. What goes is decided layer by
// layer, on the inputs that the layers below leave; the layers that remain make up for those that are gone below them.
// A layer below which nothing has changed, and that keeps all, keeps its numbers. `layers` are the program's places
// (heads and neurons in them are those of `dense`); the program of `pruned` keeps the ops of layers that are gone.
void prune_to(const Sizes& sizes, const Network& dense, const std::vector<EncoderLayer>& layers, const Tokens& tokens,
              const Importance& importance, const Fitting& fitting, uint32_t tile, Network& pruned, Kept& kept,
              const Fraction& progress);

// Takes heads and neurons away from a layer and changes nothing else: what is left of it (ascending) computes what it
// did.
void cut_layer(Network& network, const EncoderLayer& layer, const std::vector<uint32_t>& heads,
               const std::vector<uint32_t>& neurons);

}  // namespace kinglet::convert
