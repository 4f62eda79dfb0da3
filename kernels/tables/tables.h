// One table of functions per line of gemm_s8/kernels.inc, defined in the file of its vectors.
#pragma once

#include "kernels.h"

namespace kinglet::kernels {

#define KINGLET_GEMM_S8(isa, ...) extern const Kernels kTable_##isa;
#include "gemm_s8/kernels.inc"
#undef KINGLET_GEMM_S8

}  // namespace kinglet::kernels
