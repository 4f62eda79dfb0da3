// Pooling of rows, scalar reference.
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {

void pool_rows(const PoolRows& args) {
  const float rows = static_cast<float>(args.m);
  const float factor =
      args.function == PoolFunction::mean ? 1.0f / rows : 1.0f / __builtin_sqrtf(rows);  // for the two means only
  for (size_t j = 0; j < round_up(args.n, 16); ++j) {
    if (j >= args.n) {
      args.out[j] = 0.0f;
      continue;
    }
    const float* x = args.x + j;
    float value = x[0];
    switch (args.function) {
      case PoolFunction::first:
        break;
      case PoolFunction::max:
        for (size_t i = 1; i < args.m; ++i) {
          value = max_of(value, x[i * args.stride]);
        }
        break;
      case PoolFunction::mean:
      case PoolFunction::mean_sqrt_length:
        for (size_t i = 1; i < args.m; ++i) {
          value += x[i * args.stride];
        }
        value *= factor;
        break;
    }
    args.out[j] = value;
  }
}

}  // namespace kinglet::kernels::reference
