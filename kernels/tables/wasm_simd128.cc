// The table of the wasm_simd128 path.
#include "tables/generic.h"

namespace kinglet::kernels {

namespace wasm_simd128 {
void gemm_s8(const GemmS8&);
}

constexpr Kernels kTable_wasm_simd128 =
    make_table<ActivationLayout::rows_s16>(Isa::wasm_simd128, wasm_simd128::gemm_s8);

}  // namespace kinglet::kernels
