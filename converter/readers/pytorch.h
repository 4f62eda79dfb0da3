// PyTorch's checkpoints. Since 1.6 torch.save writes zip archives: <top>/data.pkl names tensors, <top>/data/<key> holds
// their bytes. Before that it wrote pickles and then the bytes.
#pragma once

#include <memory>
#include <vector>

#include "readers/stored_tensor.h"

namespace kinglet::convert {

// Lists the tensors of a file, each within the bounds of its storage. Throws Error, which names the file, the entry
// and the tensor.
std::vector<StoredTensor> read_pytorch(const std::shared_ptr<const InputFile>& file);

}  // namespace kinglet::convert
