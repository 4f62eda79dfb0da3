// The shapes of the matrix products that are timed, and XNNPACK's fully-connected operators at them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kinglet::kernels {

// out[m][n] = a[m][k] · w[n][k]
struct ProductShape {
  size_t m, n, k;
  std::string name() const {
    return "m" + std::to_string(m) + "_n" + std::to_string(n) + "_k" + std::to_string(k);
  }
};
inline const std::vector<ProductShape> kProductShapes = [] {
  std::vector<ProductShape> shapes;
  for (const auto& [n, k] : {std::pair<size_t, size_t>{1536, 384}, {384, 1536}, {384, 384}}) {
    for (const size_t m : {1, 4, 8, 16, 64, 128}) {
      shapes.push_back({m, n, k});
    }
  }
  return shapes;
}();

// Registers benchmarks of its int8 (one scale per tensor, 8-bit results) and fp32 operators. Nothing is registered where
// XNNPACK is not there.
void add_xnnpack_products();

}  // namespace kinglet::kernels
