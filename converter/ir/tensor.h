// Float tensors that are computed when they are needed, row by row, so that no pass holds a whole model in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "readers/stored_tensor.h"

namespace kinglet::convert {

// Where a tensor's numbers come from. A vector is one row. Thread-safe; may throw Error.
class Source {
 public:
  virtual ~Source() = default;
  // Writes rows [first, first + count), row-major.
  virtual void read(uint64_t first, uint64_t count, float* out) const = 0;
};

// How the writer stores a tensor; passes/quantize decides.
enum class Storage : uint8_t { f32, s8_rows, s8_tile };

struct Tensor {
  std::string name;
  std::vector<uint32_t> shape;  // [n] or [rows, columns]
  std::shared_ptr<const Source> source;
  Storage storage = Storage::f32;
  // The scale of each row's 8-bit numbers, where a pass has chosen it: the rows then are such numbers times it already.
  // Null: the writer searches.
  std::shared_ptr<const std::vector<float>> row_scales = nullptr;

  uint64_t rows() const { return shape.size() == 2 ? shape[0] : 1; }
  uint64_t columns() const { return shape.back(); }
  std::vector<float> read_all() const;
};

// Numbers of a checkpoint. `columns` is the length of a row.
std::shared_ptr<const Source> stored_source(StoredTensor stored, uint64_t columns);

// Numbers in memory.
std::shared_ptr<const Source> memory_source(std::vector<float> values, uint64_t columns);

// `count` rows of a tensor from `first` on, as a tensor of its own (a vector: elements).
Tensor row_slice(const Tensor& tensor, const std::string& name, uint32_t first, uint32_t count);

}  // namespace kinglet::convert
