// Embedding rows on vectors.
#pragma once

#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

void embed_row(const EmbedRow& args) {
  const auto* bytes = static_cast<const char*>(args.row);
  for_blocks<32>(args.n, [&](size_t j, auto count) KINGLET_INLINE_LAMBDA {
    Floats<32> v;
    if (args.s8) {
      int8_t group[32] = {};
      const size_t n = args.n - j < 32 ? args.n - j : 32;
      if (args.tile) {
        for (size_t at = 0; at < n; at += 8) {
          std::memcpy(group + at, bytes + (j + at) * 16, 8);
        }
      } else {
        std::memcpy(group, bytes + j, n);
      }
      v = to_float(load_bytes<32>(group)) * set<32>(args.scale);
    } else {
      // The row may be unaligned: vector loads do not mind.
      v = load<32>(reinterpret_cast<const float*>(bytes + j * sizeof(float)), count);
    }
    if (args.add) {
      store(args.out + j, load<32>(args.out + j, count) + v, count);
    } else {
      store_padded(args.out + j, v, count);
    }
  });
}

}  // namespace
}  // namespace kinglet::kernels
