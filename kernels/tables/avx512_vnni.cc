// The tables of the avx512_vnni path, and of the amx_int8 path, which differs in the product only.
#include "tables/generic.h"

namespace kinglet::kernels {

namespace avx512_vnni {
void gemm_s8(const GemmS8&);
}

namespace amx_int8 {
void gemm_s8(const GemmS8&);
}

constexpr Kernels kTable_avx512_vnni = make_table<ActivationLayout::rows_u8>(Isa::avx512_vnni, avx512_vnni::gemm_s8);
constexpr Kernels kTable_amx_int8 = make_table<ActivationLayout::rows_u8>(Isa::amx_int8, amx_int8::gemm_s8);

}  // namespace kinglet::kernels
