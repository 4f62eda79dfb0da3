// The table of the scalar reference.
#include "reference.h"
#include "tables/tables.h"

namespace kinglet::kernels {

constexpr Kernels kTable_reference = {
    .isa = Isa::reference,
    .layout = ActivationLayout::rows_s8,
    .gemm_s8 = reference::gemm_s8,
    .quantize_rows = reference::quantize_rows,
    .quantize_queries = reference::quantize_queries,
    .pack_keys = reference::pack_keys,
    .pack_values = reference::pack_values,
    .softmax_quantize = reference::softmax_quantize,
    .gemm_f32 = reference::gemm_f32,
    .attention_f32 = reference::attention_f32,
    .activate = reference::activate,
    .add_norm = reference::add_norm,
    .embed_row = reference::embed_row,
    .pool_rows = reference::pool_rows,
    .normalize_row = reference::normalize_row,
    .multiply = reference::multiply,
    .relate_scores = reference::relate_scores,
    .scores_f32 = reference::scores_f32,
    .weigh_values_f32 = reference::weigh_values_f32,
    .sum_tile = reference::sum_tile,
    .rotate_row = reference::rotate_row,
    .has_minus_128 = reference::has_minus_128,
    .all_finite = reference::all_finite,
};

}  // namespace kinglet::kernels
