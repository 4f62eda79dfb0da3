// Every function that the runtime calls, one table per instruction set. All functions are pure: they read and write
// only what their arguments name, allocate nothing, and are safe to call from any thread. Every table computes the
// same bits as `reference` (tests/kernels holds all of them to that by memcmp), except gemm_f32 and the functions
// marked [fp32], which serve fp32 programs.
//
// The floating-point environment must be round-to-nearest with denormals kept (runtime/base/fp_environment.h).
// Rows are `stride` elements apart. "Padded to 16": the columns from `n` up to the next multiple of 16 are written
// as 0 and must exist. Nothing is read beyond the stated sizes. Sizes m, n, k are at least 1. Outputs overlap no input
// unless it says so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "gemm_s8/gemm_s8.h"  // int8 matrix product, activation layouts, round_up
#include "isa.h"

namespace kinglet::kernels {

// ---- Quantisers (kernels/quantize) ---------------------------------------------------------------------------------
// Asymmetric, per row (DESIGN: one quantiser):
//   v = x·input_scale (when given); lo = min(0, v…), hi = max(0, v…); hi − lo < 2⁻¹⁰⁰: q = 0, scale = 0, zp = 0
//   inv = 255/(hi − lo); zp = rne(−128 − lo·inv); q = clamp(rne(v·inv) + zp, −128, 127); scale = (hi − lo)/255
// min and max are compare-and-select (a < b ? b : a). Columns from k to the padding are q = 0 (0x80 in rows_u8).
struct QuantizeRows {
  const float* x;
  size_t m, k, stride;
  const float* input_scale;  // [k], or null
  void* q;                   // activation_bytes(layout, m, k)
  float* scale;              // [m]
  int32_t* zero_point;       // [m]
};

// Symmetric, per row: amax = max |x|; amax < 2⁻¹⁰⁰: q = 0, scale = 0; inv = 127/amax; q = clamp(rne(x·inv), ±127);
// scale = (amax/127)·multiplier. Used for queries: k = head_dim, one head of every row.
struct QuantizeQueries {
  const float* x;
  size_t m, k, stride;
  float multiplier;
  void* q;       // activation_bytes(layout, m, k)
  float* scale;  // [m]
};

// Keys of one sequence and head into the universal tile (n = key, k = dimension), quantised as queries are (without a
// multiplier). Rows from m to the next multiple of 16 become 0, with scale 0 and sum 0.
struct PackKeys {
  const float* x;
  size_t m, k, stride;
  int8_t* tile;  // round_up(m, 16)·round_up(k, 8)
  float* scale;  // [round_up(m, 16)]
  int32_t* sum;  // [round_up(m, 16)]: Σ_k q
};

// Values of one sequence and head into the universal tile (n = dimension, k = key): symmetric ±127 per column over the
// whole sequence. Keys from m to the next multiple of 8 and dimensions from k to the next multiple of 16 become 0.
struct PackValues {
  const float* x;
  size_t m, k, stride;  // m keys of k dimensions
  int8_t* tile;         // round_up(k, 16)·round_up(m, 8)
  float* scale;         // [round_up(k, 16)]
  int32_t* sum;         // [round_up(k, 16)]: Σ_keys q
};

// Scores to 8-bit probabilities, per row: e = 2^(s − max s) (elementwise/polynomials.h); P = rne(255·e) − 128;
// Columns from n to the next multiple of 8 are P = −128 (the number 0). inverse_sum[i] = 1/Σ(P + 128), the sum in
// int32 over the n columns. The zero point of P is −128. Scores must be finite.
struct SoftmaxQuantize {
  const float* scores;
  size_t m, n, stride;
  void* p;             // activation_bytes(layout, m, n)
  float* inverse_sum;  // [m]
};

// ---- fp32 matrix product (kernels/gemm_f32) ------------------------------------------------------------------------
//   out[i][j] = Σ_k a[i][k]·w[j][k] + bias[j]; the sum runs over 32 virtual lanes and the fixed tree of
// kernels/simd/vec.h, so that small fp32 layers inside int8 programs have the same bits everywhere.
struct GemmF32 {
  const float* a;
  size_t a_stride;
  const float* w;  // [n][k], row-major
  size_t m, n, k;
  const float* bias;  // [n], or null
  float* out;         // padded to 16
  size_t out_stride;
};

// ---- fp32 attention [fp32] -----------------------------------------------------------------------------------------
// One head of one sequence: out[i] = Σ_j softmax₂(q[i]·k[j]·multiplier)_j · v[j], the base-2 exponential accurate to
// 2 ulp. `scratch` holds round_up(n, 16) floats.
struct AttentionF32 {
  const float *q, *k, *v;
  size_t q_stride, k_stride, v_stride;
  size_t m, n;  // m queries, n keys
  size_t dimension;
  float multiplier;
  float* scratch;
  float* out;
  size_t out_stride;
};

// ---- Attention with relative terms (kernels/relative) --------------------------------------------------------------
// `distance` is always j − i of the first score: the first key's place in its sequence less the first query's. reach is
// below 2³⁰.

// Adds to int8 or fp32 scores what depends on the distance alone:
//   scores[i][j] += bias[clamp(d, ±reach) + reach], d = distance + j − i, where there is a bias;
//   scores[i][j] = kOutside where |d| >= window, so that its probability is 0 (softmax_quantize).
inline constexpr float kOutside = -1e30f;
struct RelateScores {
  float* scores;
  size_t m, n, stride;
  ptrdiff_t distance;
  const float* bias;  // [2·reach + 1], or null
  size_t reach;
  size_t window;  // SIZE_MAX: all keys are inside
};

// fp32 scores of one head, with the terms of disentangled attention where tables are given:
//   out[i][j] = (Σ_d (q[i][d]·(k[j][d] + c[r][d]) + k[j][d]·p[r][d]))·multiplier,
//   r = rows[clamp(distance + j − i, ±reach) + reach]; without c: q·k; without p: the second product is left out.
// The sum runs over 32 virtual lanes, each adding in that order.
struct ScoresF32 {
  const float *q, *k;
  size_t q_stride, k_stride;
  size_t m, n, dimension;
  ptrdiff_t distance;
  float multiplier;
  const float *c, *p;  // tables, or null
  size_t c_stride, p_stride;
  const uint32_t* rows;  // [2·reach + 1]; null without tables
  size_t reach;
  float* out;
  size_t out_stride;
};

// fp32 scores to weighted values: out[i] = Σ_j softmax₂(scores[i])_j · v[j], as attention_f32. Overwrites the scores.
struct WeighValuesF32 {
  float* scores;
  size_t stride;
  const float* v;
  size_t v_stride;
  size_t m, n, dimension;
  float* out;
  size_t out_stride;
};

// Sums over `steps` steps of a tile column of packed values: sum[c] = Σ over steps and 8 keys of tile[step][c][key].
struct SumTile {
  const int8_t* tile;  // [steps][16][8]
  size_t steps;
  int32_t* sum;  // [16]
};

// Turns every head of a row by the angles of its place: x_t·c_t − x_(t+half)·s_t and x_(t+half)·c_t + x_t·s_t in
// columns t and t + half, t < half. In place.
struct RotateRow {
  float* x;
  size_t heads, head_dim, half;  // 2·half <= head_dim
  const float *cosine, *sine;    // [half]
};

// ---- Elementwise and per row (kernels/elementwise, kernels/norm, kernels/embed, kernels/pool) ----------------------

enum class ActivationFunction : unsigned char { none, gelu, gelu_tanh, relu, silu, tanh, sigmoid };

// x = f(x) in place, m rows of n. `fast` (int8 programs): gelu is the clamped polynomial x·(½ + t·P(t²)), error 2e-4;
// otherwise, and for every other function, within 4 ulp or 1e-7 of the exact value (gelu by erfc; gelu_tanh by the
// sigmoid that equals its tanh).
struct Activate {
  ActivationFunction function;
  bool fast;
  float* x;
  size_t m, n, stride;
};

// out = norm(x + residual). weight null: no norm, the plain sum. layer: mean and variance by two passes over 32 virtual
// lanes, mean = sum·(1/n) … exactly as reference.cc has it: (v − mean)·(1/√(var + epsilon))·weight + bias.
// affine: v·weight + bias. out may be x or residual. Padded to 16.
struct AddNorm {
  const float* x;
  const float* residual;  // or null
  const float* weight;    // [n], or null
  const float* bias;      // [n], or null
  bool affine;
  float epsilon;
  float* out;
  size_t m, n;
  size_t x_stride, residual_stride, out_stride;
};

// One row of an embedding table added to a row of floats: out[j] (+)= q[j]·scale, or (+)= f[j].
struct EmbedRow {
  const void* row;  // f32: n floats. s8: `n` bytes; `tile`: ceil(n/8) groups of 8 bytes, 128 bytes apart
  bool s8;
  bool tile;
  float scale;  // s8 only
  bool add;     // false: out is set, and padded to 16
  float* out;
  size_t n;
};

enum class PoolFunction : unsigned char { first, mean, max, mean_sqrt_length };

// `m` rows to one: row after row for every column (mean: sum·(1/m); mean_sqrt_length: sum·(1/√m)). Padded to 16.
struct PoolRows {
  PoolFunction function;
  const float* x;
  size_t m, n, stride;
  float* out;
};

// x / max(‖x‖₂, 1e-12), the squares summed over 32 virtual lanes. out may be x. Padded to 16.
struct NormalizeRow {
  const float* x;
  float* out;
  size_t n;
};

// a = a·b, m rows of n, padded to 16 (gated linear units).
struct Multiply {
  float* a;
  const float* b;
  size_t m, n, a_stride, b_stride;
};

// ---- The table -----------------------------------------------------------------------------------------------------

struct Kernels {
  Isa isa;
  ActivationLayout layout;
  void (*gemm_s8)(const GemmS8&);
  // These three return false, with the outputs unspecified, when an input is not finite.
  bool (*quantize_rows)(const QuantizeRows&);
  bool (*quantize_queries)(const QuantizeQueries&);
  bool (*pack_keys)(const PackKeys&);
  bool (*pack_values)(const PackValues&);
  void (*softmax_quantize)(const SoftmaxQuantize&);
  void (*gemm_f32)(const GemmF32&);
  void (*attention_f32)(const AttentionF32&);
  void (*activate)(const Activate&);
  void (*add_norm)(const AddNorm&);
  void (*embed_row)(const EmbedRow&);
  void (*pool_rows)(const PoolRows&);
  void (*normalize_row)(const NormalizeRow&);
  void (*multiply)(const Multiply&);
  void (*relate_scores)(const RelateScores&);
  void (*scores_f32)(const ScoresF32&);
  void (*weigh_values_f32)(const WeighValuesF32&);
  void (*sum_tile)(const SumTile&);
  void (*rotate_row)(const RotateRow&);
  // Scans `size` bytes of int8 weights: true when −128 is among them. [loader]
  bool (*has_minus_128)(const int8_t* bytes, size_t size);
  // True when every float is finite. [loader, and on the results of fp32 programs]
  bool (*all_finite)(const float* values, size_t count);
};

// The table of an instruction set; null when this build does not contain it. Says nothing about the processor.
const Kernels* kernels_for(Isa isa);

// Scalar functions for the label softmax and the like: no libm, the same bits everywhere.
float exp_f32(float x);      // within 2 ulp
float sigmoid_f32(float x);  // 1/(1 + e⁻ˣ)
void softmax_f32(const float* logits, size_t n, float* scores);

}  // namespace kinglet::kernels
