// Scans of loaded bytes, scalar reference.
#include "elementwise/functions.h"
#include "reference.h"

namespace kinglet::kernels::reference {

bool has_minus_128(const int8_t* bytes, size_t size) {
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] == -128) {
      return true;
    }
  }
  return false;
}

bool all_finite(const float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!is_finite(values[i])) {
      return false;
    }
  }
  return true;
}

}  // namespace kinglet::kernels::reference
