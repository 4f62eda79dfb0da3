// Activation functions and their slopes, as kernels/ and transformers have them.
#pragma once

#include "model_generated.h"

namespace kinglet::convert {

float activate(fmt::Activation kind, float x);
// d activate(x) / dx.
float activation_slope(fmt::Activation kind, float x);

}  // namespace kinglet::convert
