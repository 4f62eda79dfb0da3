// The tables of the paths with NEON vectors.
#include "tables/generic.h"

namespace kinglet::kernels {

namespace neon {
void gemm_s8(const GemmS8&);
}
namespace neon_dotprod {
void gemm_s8(const GemmS8&);
}
namespace neon_i8mm {
void gemm_s8(const GemmS8&);
}

constexpr Kernels kTable_neon = make_table<ActivationLayout::rows_s8_twice>(Isa::neon, neon::gemm_s8);
constexpr Kernels kTable_neon_dotprod =
    make_table<ActivationLayout::sdot_4x4>(Isa::neon_dotprod, neon_dotprod::gemm_s8);
constexpr Kernels kTable_neon_i8mm = make_table<ActivationLayout::smmla_2x8>(Isa::neon_i8mm, neon_i8mm::gemm_s8);

}  // namespace kinglet::kernels
