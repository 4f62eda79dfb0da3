// The inner loops of matmul.h for vectors of 16 bytes, which every processor has.

#define KINGLET_MATMUL_BYTES 16
#include "prune/matmul_generic.h"

namespace kinglet::convert {

const MatmulKernels& matmul_any() {
  return kKernels;
}

}  // namespace kinglet::convert
