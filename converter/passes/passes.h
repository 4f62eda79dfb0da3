// Passes over ModelIR: each changes the model in place, adds its name to ModelIR::passes, and is one file. They are
// lazy: a pass changes where numbers come from, and the writer asks for them row by row.
#pragma once

#include <string>
#include <vector>

#include "ir/model_ir.h"

namespace kinglet::convert {

// For 8-bit attention, none of it changing the result in exact arithmetic: drops the key bias (it adds the same to all
// logits of a query, which softmax does not see; it stays where rotary positions turn it differently for every key),
// moves the value bias through the output projection into its bias (probabilities sum to 1), multiplies the query by
// log₂e/√d in the place of logit_scale, and fills each head with zeros to a multiple of 16. Disentangled attention
// stays as it is. Throws Error when the numbers cannot be read.
void fold_attention(ModelIR& model);

// Makes the channels of attention values and the columns of the output projections that read them share their ranges:
// both are multiplied by powers of two that cancel, so fp32 results keep their bits. Without texts, from the weights
// and norms alone. Where the values go anywhere else, or layers share one matrix without the other, nothing is done.
// Throws Error when the numbers cannot be read.
void equalize_attention(ModelIR& model);

// Both, in their order: what a model wants before `quantize`.
void prepare_attention(ModelIR& model);

// Marks what is stored in 8 bits: matrices by output channel, tables by row; and attention as quantized, unless it is
// disentangled. What matches a glob pattern of `keep_fp32` stays f32, as do tables of at most 16 rows and heads of less
// than 64 outputs. Throws Error when a pattern matches no matrix and no table.
void quantize(ModelIR& model, const std::vector<std::string>& keep_fp32);

}  // namespace kinglet::convert
