// Makes the table of an ISA from the generic kernels, compiled with the flags of the including file.
#pragma once

#include "attention_f32/generic.h"
#include "check/generic.h"
#include "elementwise/generic.h"
#include "embed/generic.h"
#include "gemm_f32/generic.h"
#include "norm/generic.h"
#include "pool/generic.h"
#include "quantize/generic.h"
#include "relative/generic.h"
#include "softmax/generic.h"
#include "tables/tables.h"

namespace kinglet::kernels {
namespace {

template <ActivationLayout kLayout>
constexpr Kernels make_table(Isa isa, void (*gemm_s8)(const GemmS8&)) {
  return {
      .isa = isa,
      .layout = kLayout,
      .gemm_s8 = gemm_s8,
      .quantize_rows = quantize_rows<kLayout>,
      .quantize_queries = quantize_queries<kLayout>,
      .pack_keys = pack_keys,
      .pack_values = pack_values,
      .softmax_quantize = softmax_quantize<kLayout>,
      .gemm_f32 = gemm_f32,
      .attention_f32 = attention_f32,
      .activate = activate,
      .add_norm = add_norm,
      .embed_row = embed_row,
      .pool_rows = pool_rows,
      .normalize_row = normalize_row,
      .multiply = multiply,
      .relate_scores = relate_scores,
      .scores_f32 = scores_f32,
      .weigh_values_f32 = weigh_values_f32,
      .sum_tile = sum_tile,
      .rotate_row = rotate_row,
      .has_minus_128 = has_minus_128,
      .all_finite = all_finite,
  };
}

}  // namespace
}  // namespace kinglet::kernels
