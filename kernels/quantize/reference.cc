// The quantisers, scalar reference (formulas: kernels.h).
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {
namespace {

int32_t clamp(int32_t value, int32_t low, int32_t high) { return value < low ? low : value > high ? high : value; }

// Largest magnitude of `count` floats `step` apart; false when one is not finite.
bool largest_magnitude(const float* x, size_t count, size_t step, float& largest) {
  largest = 0.0f;
  for (size_t i = 0; i < count; ++i) {
    if (!is_finite(x[i * step])) {
      return false;
    }
    largest = max_of(largest, absolute(x[i * step]));
  }
  return true;
}

// Symmetric: writes q through `put(index, q)` and returns their sum.
template <typename Put>
int32_t quantize_symmetric(const float* x, size_t count, size_t step, float largest, Put put) {
  const bool zero = largest < kSmallestRange;
  const float inverse = zero ? 0.0f : 127.0f / largest;
  int32_t sum = 0;
  for (size_t i = 0; i < count; ++i) {
    const int32_t q = zero ? 0 : clamp(round_to_int(x[i * step] * inverse), -127, 127);
    put(i, static_cast<int8_t>(q));
    sum += q;
  }
  return sum;
}

float symmetric_scale(float largest) { return largest < kSmallestRange ? 0.0f : largest / 127.0f; }

}  // namespace

bool quantize_rows(const QuantizeRows& args) {
  const size_t row_bytes = round_up(args.k, 8);
  for (size_t i = 0; i < args.m; ++i) {
    const float* x = args.x + i * args.stride;
    int8_t* q = static_cast<int8_t*>(args.q) + i * row_bytes;
    const auto value = [&](size_t j) { return args.input_scale != nullptr ? x[j] * args.input_scale[j] : x[j]; };
    float low = 0.0f;
    float high = 0.0f;
    for (size_t j = 0; j < args.k; ++j) {
      const float v = value(j);
      if (!is_finite(v)) {
        return false;
      }
      low = min_of(low, v);
      high = max_of(high, v);
    }
    const float range = high - low;
    if (!is_finite(range)) {
      return false;
    }
    std::memset(q, 0, row_bytes);
    args.scale[i] = 0.0f;
    args.zero_point[i] = 0;
    if (range < kSmallestRange) {
      continue;
    }
    const float inverse = 255.0f / range;
    const int32_t zero_point = round_to_int(-128.0f - low * inverse);
    for (size_t j = 0; j < args.k; ++j) {
      q[j] = static_cast<int8_t>(clamp(round_to_int(value(j) * inverse) + zero_point, -128, 127));
    }
    args.scale[i] = range / 255.0f;
    args.zero_point[i] = zero_point;
  }
  return true;
}

bool quantize_queries(const QuantizeQueries& args) {
  const size_t row_bytes = round_up(args.k, 8);
  for (size_t i = 0; i < args.m; ++i) {
    const float* x = args.x + i * args.stride;
    int8_t* q = static_cast<int8_t*>(args.q) + i * row_bytes;
    float largest;
    if (!largest_magnitude(x, args.k, 1, largest)) {
      return false;
    }
    std::memset(q, 0, row_bytes);
    quantize_symmetric(x, args.k, 1, largest, [&](size_t j, int8_t value) { q[j] = value; });
    args.scale[i] = symmetric_scale(largest) * args.multiplier;
  }
  return true;
}

bool pack_keys(const PackKeys& args) {
  const size_t tile_bytes = round_up(args.k, 8) * 16;
  const size_t rows = round_up(args.m, 16);
  std::memset(args.tile, 0, rows / 16 * tile_bytes);
  for (size_t i = 0; i < rows; ++i) {
    args.scale[i] = 0.0f;
    args.sum[i] = 0;
    if (i >= args.m) {
      continue;
    }
    const float* x = args.x + i * args.stride;
    int8_t* tile = args.tile + i / 16 * tile_bytes + i % 16 * 8;
    float largest;
    if (!largest_magnitude(x, args.k, 1, largest)) {
      return false;
    }
    args.sum[i] = quantize_symmetric(x, args.k, 1, largest,
                                     [&](size_t k, int8_t value) { tile[k / 8 * 128 + k % 8] = value; });
    args.scale[i] = symmetric_scale(largest);
  }
  return true;
}

bool pack_values(const PackValues& args) {
  const size_t tile_bytes = round_up(args.m, 8) * 16;
  const size_t columns = round_up(args.k, 16);
  std::memset(args.tile, 0, columns / 16 * tile_bytes);
  for (size_t j = 0; j < columns; ++j) {
    args.scale[j] = 0.0f;
    args.sum[j] = 0;
    if (j >= args.k) {
      continue;
    }
    int8_t* tile = args.tile + j / 16 * tile_bytes + j % 16 * 8;
    float largest;
    if (!largest_magnitude(args.x + j, args.m, args.stride, largest)) {
      return false;
    }
    args.sum[j] = quantize_symmetric(args.x + j, args.m, args.stride, largest,
                                     [&](size_t key, int8_t value) { tile[key / 8 * 128 + key % 8] = value; });
    args.scale[j] = symmetric_scale(largest);
  }
  return true;
}

}  // namespace kinglet::kernels::reference
