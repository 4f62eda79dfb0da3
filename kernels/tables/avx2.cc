// The tables of the paths with AVX2 vectors.
#include "tables/generic.h"

namespace kinglet::kernels {

namespace avx2 {
void gemm_s8(const GemmS8&);
}
namespace avx_vnni {
void gemm_s8(const GemmS8&);
}

constexpr Kernels kTable_avx2 = make_table<ActivationLayout::rows_s8>(Isa::avx2, avx2::gemm_s8);
constexpr Kernels kTable_avx_vnni = make_table<ActivationLayout::rows_u8>(Isa::avx_vnni, avx_vnni::gemm_s8);

}  // namespace kinglet::kernels
