// The safetensors format: 8 bytes of header length, a JSON header, and the tensors' bytes.
#pragma once

#include <memory>
#include <vector>

#include "readers/stored_tensor.h"

namespace kinglet::convert {

// Lists the tensors of a file. Everything the header says is held against the format's rules: known dtypes, sizes that
// follow from dtype and shape, and byte ranges that cover the file without overlap or hole. Throws Error, which names
// the file and the tensor.
std::vector<StoredTensor> read_safetensors(const std::shared_ptr<const InputFile>& file);

}  // namespace kinglet::convert
