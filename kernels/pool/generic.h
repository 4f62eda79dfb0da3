// Pooling of rows on vectors: 32 columns at a time, row after row.
#pragma once

#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

void pool_rows(const PoolRows& args) {
  const float rows = static_cast<float>(args.m);
  const float factor = args.function == PoolFunction::mean ? 1.0f / rows : 1.0f / __builtin_sqrtf(rows);
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    const float* x = args.x + j;
    Floats<32> value = load<32>(x, count);
    switch (args.function) {
      case PoolFunction::first:
        break;
      case PoolFunction::max:
        for (size_t i = 1; i < args.m; ++i) {
          value = max_of(value, load<32>(x + i * args.stride, count));
        }
        break;
      case PoolFunction::mean:
      case PoolFunction::mean_sqrt_length:
        for (size_t i = 1; i < args.m; ++i) {
          value = value + load<32>(x + i * args.stride, count);
        }
        value = value * set<32>(factor);
        break;
    }
    store_padded(args.out + j, value, count);
  });
}

}  // namespace
}  // namespace kinglet::kernels
