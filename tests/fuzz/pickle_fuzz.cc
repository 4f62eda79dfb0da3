// Fuzzes the PyTorch reader. An input that begins with "PK" is a zip archive, one that begins like the magic number of
// old files such a file, any other one a pickle. Whatever it is, it is refused with an Error or its tensors can be read
// within the file.
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
    const bool archive = size >= 2 && data[0] == 'P' && data[1] == 'K';
    const bool old = size >= 3 && data[0] == 0x80 && data[1] == 2 && data[2] == 0x8a;
    if (archive || old) {
      read_archive(data, size);
    } else {
      read_pickle(std::span(data, size), "fuzz");
    }
  } catch (const Error&) {
  }
  return 0;
}
