// Scans of loaded bytes on vectors.
#pragma once

#include "kernels.h"
#include "simd/vec.h"

namespace kinglet::kernels {
namespace {

typedef signed char NativeBytes __attribute__((vector_size(kNativeBytes)));

bool has_minus_128(const int8_t* bytes, size_t size) {
  NativeBytes found = {};
  const auto look = [&](const int8_t* p, size_t count) KINGLET_INLINE_LAMBDA {
    NativeBytes x = {};
    std::memcpy(&x, p, count);
    found |= (NativeBytes)(x == -128);
  };
  size_t i = 0;
  for (; i + kNativeBytes <= size; i += kNativeBytes) {
    look(bytes + i, kNativeBytes);
  }
  if (i < size) {
    look(bytes + i, size - i);
  }
  Ints<kNative> ints;
  std::memcpy(&ints, &found, sizeof found);
  return largest_unsigned(ints) != 0;
}

bool all_finite(const float* values, size_t count) {
  Ints<32> largest = set_int<32>(0);
  for_blocks<32>(count, [&](size_t i, auto part) KINGLET_INLINE_LAMBDA {
    largest = signed_max(largest, bits_of(absolute(load<32>(values + i, part))));
  });
  return static_cast<uint32_t>(largest_signed(largest)) < 0x7F800000u;
}

}  // namespace
}  // namespace kinglet::kernels
