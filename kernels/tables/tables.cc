// Finds the table of an instruction set.
#include "tables/tables.h"

namespace kinglet::kernels {

const Kernels* kernels_for(Isa isa) {
  switch (isa) {
#define KINGLET_GEMM_S8(name, ...) \
  case Isa::name:                  \
    return &kTable_##name;
#include "gemm_s8/kernels.inc"
#undef KINGLET_GEMM_S8
    default:
      return nullptr;
  }
}

}  // namespace kinglet::kernels
