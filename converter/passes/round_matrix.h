// Rounding a matrix so that its products with given inputs stay right, rather than its numbers (Frantar et al., 2022,
// "GPTQ"; in the form of Chee et al., 2023, "QuIP": LDLQ).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "calibrate/linear_algebra.h"

namespace kinglet::convert {

// Sums over the rows that a matrix reads: `exact` those of the fp32 program, `seen` those of the program in 8 bits.
struct InputMoments {
  Grid squares;  // Σ seen·seenᵀ
  Grid drift;    // Σ (exact − seen)·seenᵀ
  std::vector<double> seen_sum, exact_sum;
  size_t count = 0;
};

// Where the result's constant part does not matter, or a bias puts it right, the moments about the means count.
InputMoments centred(const InputMoments& moments);

struct RoundedMatrix {
  std::vector<int8_t> q;  // [n][k]
  std::vector<float> scales;
};

// Rounds w [n][k] by output channel to minimise the error of the products with the inputs that the moments describe:
// first w is moved to undo the drift of its inputs as far as that is linear, then its columns are rounded one after the
// other, each making up for the errors of those before it. Deterministic.
RoundedMatrix round_matrix(const Grid& w, const InputMoments& moments);

}  // namespace kinglet::convert
