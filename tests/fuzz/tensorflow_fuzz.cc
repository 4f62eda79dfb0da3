// Fuzzes the reader of TensorFlow checkpoints: the bytes are an index, whose checksums are not compared. It is refused
// with an Error, or its tensors can be read within a data file of 64 bytes.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "error.h"
#include "readers/table_file.h"
#include "readers/tensorflow.h"

using namespace kinglet::convert;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto entries = read_table(*memory_file({data, data + size}, "fuzz"), false);
    const auto open = [](uint64_t, uint64_t) { return memory_file(std::vector<uint8_t>(64), "data"); };
    for (const StoredTensor& tensor : read_bundle(entries, "fuzz", open)) {
      std::vector<float> values(tensor.type == ElementType::other ? 0 : tensor.element_count());
      read_elements(tensor, 0, values.size(), values.data());
    }
  } catch (const Error&) {
  }
  return 0;
}
