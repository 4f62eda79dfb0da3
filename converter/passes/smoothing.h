// Input scales that share out the difficulty of rounding between a matrix and its input (Xiao et al., 2022,
// "SmoothQuant"), chosen by the error that is to be expected.
#pragma once

#include <vector>

#include "calibrate/linear_algebra.h"

namespace kinglet::convert {

// The vector to multiply inputs by, for rows `x` as the input has them and the weights of all that read it, one below
// the other. Empty: no vector does noticeably better than none. `weight_share`: what is left of the weights' rounding
// error after its compensation.
std::vector<float> choose_input_scale(const Grid& x, const Grid& weight, double weight_share);

}  // namespace kinglet::convert
