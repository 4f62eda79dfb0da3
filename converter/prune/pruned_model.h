// A pruned network as what others can use: a program to write, and a checkpoint folder.
#pragma once

#include <vector>

#include "prune/layers.h"
#include "prune/network.h"
#include "prune/reconstruct.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::convert {

// The model with the network's matrices and widths in the place of its own, without the layers that are gone.
ModelIR pruned_model(const ModelIR& model, const Network& network, const std::vector<EncoderLayer>& layers,
                     const Kept& kept);

// Puts the network's matrices into a source's folder, and into its config which heads are gone (pruned_heads, as
// transformers has it) and how wide each feed-forward block is (intermediate_size, or kinglet_intermediate_sizes where
// they differ). Layers that are gone have no tensors, the others the names of their new places. Heads that the source
// had lost before stay lost. Throws Error when a matrix has no tensor of its own.
void put_into_folder(const Network& network, const std::vector<EncoderLayer>& layers, const Kept& kept,
                     CheckpointFolder& folder);

}  // namespace kinglet::convert
