// The table of the avx512_vnni path.
#include "tables/generic.h"

namespace kinglet::kernels {

namespace avx512_vnni {
void gemm_s8(const GemmS8&);
}

constexpr Kernels kTable_avx512_vnni = make_table<ActivationLayout::rows_u8>(Isa::avx512_vnni, avx512_vnni::gemm_s8);

}  // namespace kinglet::kernels
