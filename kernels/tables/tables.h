// One table of functions per line of gemm_s8/kernels.inc, each defined by tables/<isa>.cc.
#pragma once

#include "kernels.h"

namespace kinglet::kernels {

#define KINGLET_GEMM_S8(isa, ...) extern const Kernels kTable_##isa;
#include "gemm_s8/kernels.inc"
#undef KINGLET_GEMM_S8

}  // namespace kinglet::kernels
