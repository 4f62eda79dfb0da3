// Fuzzes the safetensors reader: the whole input is a file. Whatever header it has, it is refused with an Error or its
// tensors can be read within the file.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "error.h"
#include "readers/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kinglet::convert;
  try {
    for (const StoredTensor& tensor : read_safetensors(memory_file({data, data + size}, "fuzz"))) {
      try {
        std::vector<float> values(tensor.type == ElementType::other ? 0 : tensor.element_count());
        read_elements(tensor, 0, values.size(), values.data());
      } catch (const Error&) {
      }
    }
  } catch (const Error&) {
  }
  return 0;
}
