// Tensors of a checkpoint to floats.
#include "readers/stored_tensor.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kChunk = 64 << 10;  // bytes read at once

float from_bf16(uint16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

// IEEE 754 binary16, subnormals included: the exponent is moved by a multiplication, which is exact.
float from_f16(uint16_t bits) {
  const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  const uint32_t magnitude = static_cast<uint32_t>(bits & 0x7fff) << 13;
  if (magnitude >= 0x0f800000) {  // infinities and NaN
    return std::bit_cast<float>(sign | 0x7f800000 | magnitude);
  }
  const float value = std::bit_cast<float>(magnitude) * 0x1p112f;
  return std::bit_cast<float>(sign | std::bit_cast<uint32_t>(value));
}

// `raw` holds little-endian elements at any alignment.
template <typename Stored, typename Convert>
void convert_all(const uint8_t* raw, size_t count, float* out, Convert convert) {
  for (size_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, raw + i * sizeof(Stored), sizeof(Stored));
    out[i] = convert(value);
  }
}

void convert_elements(ElementType type, const uint8_t* raw, size_t count, float* out) {
  switch (type) {
    case ElementType::f64:
      return convert_all<double>(raw, count, out, [](double value) { return static_cast<float>(value); });
    case ElementType::f32:
      std::memcpy(out, raw, count * sizeof(float));
      return;
    case ElementType::f16:
      return convert_all<uint16_t>(raw, count, out, from_f16);
    case ElementType::bf16:
      return convert_all<uint16_t>(raw, count, out, from_bf16);
    case ElementType::other:
      return;
  }
}

// Contiguous elements from element `first` on.
void read_run(const StoredTensor& tensor, uint64_t first, uint64_t count, float* out) {
  const size_t size = element_size(tensor.type);
  if (tensor.type == ElementType::f32) {
    tensor.file->read(tensor.offset + first * size, out, count * size);
    return;
  }
  std::vector<uint8_t> raw(std::min<uint64_t>(count * size, kChunk));
  while (count > 0) {
    const uint64_t now = std::min<uint64_t>(count, kChunk / size);
    tensor.file->read(tensor.offset + first * size, raw.data(), now * size);
    convert_elements(tensor.type, raw.data(), now, out);
    first += now;
    out += now;
    count -= now;
  }
}

// Elements of a tensor whose strides are not those of row-major order: all bytes that it spans are read once.
void read_strided(const StoredTensor& tensor, uint64_t first, uint64_t count, float* out) {
  uint64_t span = 1;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    span += (tensor.shape[d] - 1) * tensor.strides[d];
  }
  std::vector<float> all(span);
  read_run(tensor, 0, span, all.data());
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t rest = first + i;
    uint64_t place = 0;
    for (size_t d = tensor.shape.size(); d-- > 0;) {
      place += rest % tensor.shape[d] * tensor.strides[d];
      rest /= tensor.shape[d];
    }
    out[i] = all[place];
  }
}

bool all_finite(const float* values, uint64_t count) {
  uint32_t bad = 0;
  for (uint64_t i = 0; i < count; ++i) {
    bad |= (std::bit_cast<uint32_t>(values[i]) & 0x7f800000) == 0x7f800000;
  }
  return bad == 0;
}

}  // namespace

size_t element_size(ElementType type) {
  switch (type) {
    case ElementType::f64:
      return 8;
    case ElementType::f32:
      return 4;
    case ElementType::f16:
    case ElementType::bf16:
      return 2;
    case ElementType::other:
      return 0;
  }
  return 0;
}

uint64_t StoredTensor::element_count() const {
  uint64_t count = 1;
  for (const uint64_t dimension : shape) {
    count *= dimension;
  }
  return count;
}

void read_elements(const StoredTensor& tensor, uint64_t first, uint64_t count, float* out) {
  if (tensor.type == ElementType::other) {
    refuse(tensor.file->name(), ": the tensor ", quote(tensor.name), " is of type ", quote(tensor.type_name),
           ", expected a floating-point type (F32, F16, BF16 or F64)");
  }
  if (tensor.strides.empty()) {
    read_run(tensor, first, count, out);
  } else {
    read_strided(tensor, first, count, out);
  }
  if (!all_finite(out, count)) {
    refuse(tensor.file->name(), ": the tensor ", quote(tensor.name),
           " holds an infinity or a NaN, expected finite 32-bit numbers");
  }
}

}  // namespace kinglet::convert
