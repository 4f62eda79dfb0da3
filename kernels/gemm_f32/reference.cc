// fp32 matrix product, scalar reference (formula: kernels.h).
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {

void gemm_f32(const GemmF32& args) {
  for (size_t i = 0; i < args.m; ++i) {
    const float* a = args.a + i * args.a_stride;
    float* out = args.out + i * args.out_stride;
    for (size_t j = 0; j < args.n; ++j) {
      const float* w = args.w + j * args.k;
      LaneSum sum;
      for (size_t k = 0; k < args.k; ++k) {
        sum.add(k, a[k] * w[k]);
      }
      out[j] = args.bias != nullptr ? sum.total() + args.bias[j] : sum.total();
    }
    for (size_t j = args.n; j < round_up(args.n, 16); ++j) {
      out[j] = 0.0f;
    }
  }
}

}  // namespace kinglet::kernels::reference
