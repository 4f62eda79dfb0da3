// Rounding rows to 8 bits, and the universal tile.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>
#include <vector>

#include "passes/rounding.h"

namespace kinglet::test {
namespace {

using convert::pack_tile;
using convert::round_row;

TEST_CASE("rounded rows are within half a step, but for the few weights that are cut off") {
  constexpr uint32_t kSeed = 11;
  std::mt19937 random(kSeed);
  CAPTURE(kSeed);
  for (size_t count = 1; count < 200; ++count) {
    std::normal_distribution<float> normal(0, 0.05f);
    std::vector<float> row(count);
    std::generate(row.begin(), row.end(), [&] { return normal(random); });
    const float limit = std::fabs(
        *std::max_element(row.begin(), row.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); }));
    std::vector<int8_t> q(count);
    int32_t sum = 0;
    const float scale = round_row(row.data(), count, q.data(), &sum);
    CHECK(scale <= limit / 127 * 1.000001f);
    CHECK(scale >= 0.949f * limit / 127);
    int32_t expected_sum = 0;
    double error = 0, plain_error = 0;
    for (size_t i = 0; i < count; ++i) {
      CHECK(q[i] >= -127);
      expected_sum += q[i];
      const float distance = std::fabs(q[i] * scale - row[i]);
      CHECK(distance <= (std::abs(q[i]) == 127 ? 0.06f * limit : 0.5001f * scale));
      error += double{distance} * distance;
      const float plain = std::nearbyint(row[i] / (limit / 127)) * (limit / 127) - row[i];
      plain_error += double{plain} * plain;
    }
    CHECK(sum == expected_sum);
    CHECK(error <= plain_error * 1.0001 + 1e-12);
  }
}

TEST_CASE("rows of zeros, of tiny and of huge numbers") {
  int8_t q[3] = {1, 1, 1};
  int32_t sum = 5;
  const float zeros[3] = {0, -0.0f, 0x1p-101f};
  CHECK(round_row(zeros, 3, q, &sum) == 0);
  CHECK((q[0] == 0 && q[1] == 0 && q[2] == 0 && sum == 0));
  const float small[3] = {0x1p-99f, -0x1p-99f, 0};
  CHECK(round_row(small, 3, q, &sum) > 0);
  CHECK((q[0] == 127 && q[1] == -127 && q[2] == 0 && sum == 0));
  const float huge[3] = {3e38f, -3e38f, 1e38f};
  CHECK(std::isfinite(round_row(huge, 3, q, &sum)));
  CHECK((q[0] == 127 && q[1] == -127 && q[2] == 42));
}

TEST_CASE("the tile has every number in its place and zeros everywhere else") {
  for (const size_t rows : {1u, 15u, 16u}) {
    for (const size_t columns : {1u, 7u, 8u, 9u, 26u, 32u}) {
      std::vector<int8_t> q(rows * columns);
      for (size_t i = 0; i < q.size(); ++i) {
        q[i] = static_cast<int8_t>(i % 127 + 1);
      }
      const size_t groups = (columns + 7) / 8;
      std::vector<int8_t> tile(groups * 128, -1);
      pack_tile(q.data(), rows, columns, columns, tile.data());
      size_t wrong = 0;
      for (size_t group = 0; group < groups; ++group) {
        for (size_t row = 0; row < 16; ++row) {
          for (size_t i = 0; i < 8; ++i) {
            const size_t column = group * 8 + i;
            const int8_t expected = row < rows && column < columns ? q[row * columns + column] : int8_t{0};
            wrong += tile[(group * 16 + row) * 8 + i] != expected;
          }
        }
      }
      CAPTURE(rows);
      CAPTURE(columns);
      CHECK(wrong == 0);
    }
  }
}

}  // namespace
}  // namespace kinglet::test
