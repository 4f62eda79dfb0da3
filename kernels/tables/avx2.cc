// The table of the avx2 path.
#include "tables/generic.h"

namespace kinglet::kernels {

namespace avx2 {
void gemm_s8(const GemmS8&);
}

constexpr Kernels kTable_avx2 = make_table<ActivationLayout::rows_s8>(Isa::avx2, avx2::gemm_s8);

}  // namespace kinglet::kernels
