// The inner loops of matmul.h for AVX2.
#if defined(__x86_64__)
#define KINGLET_MATMUL_BYTES 32
#include "prune/matmul_generic.h"

namespace kinglet::convert {

const MatmulKernels& matmul_avx2() {
  return kKernels;
}

}  // namespace kinglet::convert

#endif
