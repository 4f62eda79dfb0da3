// Symmetric positive definite systems in double precision, matrices row-major.
#pragma once

#include <cstddef>
#include <vector>

namespace kinglet::convert {

// a[n][n] (its upper triangle counts) → L in the lower triangle, a = L·Lᵀ; what lies above is left as it was. Throws
// Error when a is not positive definite.
void factorize(std::vector<double>& a, size_t n);
// Solves L·Lᵀ·x = b for `columns` right-hand sides b[n][columns], in place.
void solve(const std::vector<double>& factor, size_t n, std::vector<double>& b, size_t columns);
// The whole of (L·Lᵀ)⁻¹.
std::vector<double> inverse_of(const std::vector<double>& factor, size_t n);

}  // namespace kinglet::convert
