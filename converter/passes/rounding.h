// Rounding rows of floats to 8 bits, and the universal weight tile.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::convert {

// Symmetric: w ≈ scale·q with q in [-127, 127]. The scale is that of six between 0.95 and 1 times (max |w|)/127 which
// leaves the least squared error; a row whose numbers are all below 2⁻¹⁰⁰ becomes 0 with scale 0. Writes `count`
// numbers to `q` and returns the scale; *sum receives Σ q. Pure; the result does not depend on compiler or processor.
float round_row(const float* w, size_t count, int8_t* q, int32_t* sum);

// With a scale that is known already (0: all become 0), which it returns.
float round_row_by(float scale, const float* w, size_t count, int8_t* q, int32_t* sum);

// Puts 16 rows of `columns` numbers, `stride` apart, into [ceil(columns/8)][16][8]. Rows from `rows` on and columns
// from `columns` on become 0.
void pack_tile(const int8_t* q, size_t rows, size_t columns, size_t stride, int8_t* tile);

}  // namespace kinglet::convert
