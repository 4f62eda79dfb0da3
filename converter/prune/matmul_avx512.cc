// The inner loops of matmul.h for AVX-512.
#if defined(__x86_64__)
#define KINGLET_MATMUL_BYTES 64
#include "prune/matmul_generic.h"

namespace kinglet::convert {

const MatmulKernels& matmul_avx512() {
  return kKernels;
}

}  // namespace kinglet::convert

#endif
