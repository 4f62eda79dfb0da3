// Fuzzes the PyTorch reader. An input that begins with "PK" is a zip archive, any other one a pickle. Whatever it is,
// it is refused with an Error or its tensors can be read within the file.
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "error.h"
#include "readers/pickle.h"
#include "readers/pytorch.h"

namespace {

using namespace kinglet::convert;

void read_archive(const uint8_t* data, size_t size) {
  for (const StoredTensor& tensor : read_pytorch(memory_file({data, data + size}, "fuzz"))) {
    try {
      std::vector<float> values(tensor.type == ElementType::other ? 0 : tensor.element_count());
      read_elements(tensor, 0, values.size(), values.data());
    } catch (const Error&) {
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    if (size >= 2 && data[0] == 'P' && data[1] == 'K') {
      read_archive(data, size);
    } else {
      read_pickle(std::span(data, size), "fuzz");
    }
  } catch (const Error&) {
  }
  return 0;
}
