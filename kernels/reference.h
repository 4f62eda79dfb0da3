// The scalar reference of every kernel: plain loops, the specification that all other paths equal bit for bit.
#pragma once

#include "kernels.h"

namespace kinglet::kernels::reference {

void gemm_s8(const GemmS8&);
bool quantize_rows(const QuantizeRows&);
bool quantize_queries(const QuantizeQueries&);
bool pack_keys(const PackKeys&);
bool pack_values(const PackValues&);
void softmax_quantize(const SoftmaxQuantize&);
void gemm_f32(const GemmF32&);
void attention_f32(const AttentionF32&);
void activate(const Activate&);
void add_norm(const AddNorm&);
void embed_row(const EmbedRow&);
void pool_rows(const PoolRows&);
void normalize_row(const NormalizeRow&);
void multiply(const Multiply&);
void relate_scores(const RelateScores&);
void scores_f32(const ScoresF32&);
void weigh_values_f32(const WeighValuesF32&);
void sum_tile(const SumTile&);
void rotate_row(const RotateRow&);
bool has_minus_128(const int8_t* bytes, size_t size);
bool all_finite(const float* values, size_t count);

}  // namespace kinglet::kernels::reference
