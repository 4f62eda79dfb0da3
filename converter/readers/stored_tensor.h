// A tensor as it lies in a checkpoint file: where, of what type, in what order. Nothing is read until it is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "readers/input_file.h"

namespace kinglet::convert {

enum class ElementType : uint8_t { f64, f32, f16, bf16, other };

// Bytes of an element; 0 for `other`.
size_t element_size(ElementType type);

struct StoredTensor {
  std::string name;
  ElementType type = ElementType::other;
  std::string type_name;  // as the file spells it: "F16", "HalfStorage", …
  std::vector<uint64_t> shape;
  std::vector<uint64_t> strides;  // in elements, one per dimension; empty: contiguous
  std::shared_ptr<const InputFile> file;
  uint64_t offset = 0;  // of the first element, in bytes

  uint64_t element_count() const;
};

// Reads `count` elements in row-major order, from element `first` on, as floats; F64 is rounded. Throws Error when the
// file cannot be read, the type is not a floating-point one, or a number is not finite.
void read_elements(const StoredTensor& tensor, uint64_t first, uint64_t count, float* out);

}  // namespace kinglet::convert
