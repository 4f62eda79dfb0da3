// int8 matrix product, scalar reference (formula and operands: gemm_s8.h). Layout rows_s8.
#include "reference.h"

namespace kinglet::kernels::reference {

void gemm_s8(const GemmS8& args) {
  const size_t row_bytes = round_up(args.k, 8);
  const size_t tile_bytes = row_bytes * 16;
  for (size_t i = 0; i < args.m; ++i) {
    const int8_t* a = static_cast<const int8_t*>(args.a) + i * row_bytes;
    float* out = args.out + i * args.out_stride;
    for (size_t j = 0; j < round_up(args.n, 16); ++j) {
      if (j >= args.n) {
        out[j] = 0.0f;
        continue;
      }
      const int8_t* w = args.w + j / 16 * tile_bytes + j % 16 * 8;
      uint32_t sum = 0;
      for (size_t k = 0; k < args.k; ++k) {
        sum += static_cast<uint32_t>(int32_t{a[k]} * int32_t{w[k / 8 * 128 + k % 8]});
      }
      sum -= static_cast<uint32_t>(args.zero_point[i]) * static_cast<uint32_t>(args.column_sum[j]);
      const float value = static_cast<float>(static_cast<int32_t>(sum)) * args.row_scale[i] * args.column_scale[j];
      out[j] = args.bias != nullptr ? value + args.bias[j] : value;
    }
  }
}

}  // namespace kinglet::kernels::reference
