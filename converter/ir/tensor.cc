// Sources of numbers: a checkpoint, or memory.
#include "ir/tensor.h"

#include <algorithm>
#include <mutex>

namespace kinglet::convert {

namespace {

class MemorySource final : public Source {
 public:
  MemorySource(std::vector<float> values, uint64_t columns) : values_(std::move(values)), columns_(columns) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    std::copy_n(values_.data() + first * columns_, count * columns_, out);
  }

 private:
  std::vector<float> values_;
  uint64_t columns_;
};

class StoredSource final : public Source {
 public:
  StoredSource(StoredTensor stored, uint64_t columns) : stored_(std::move(stored)), columns_(columns) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    if (stored_.strides.empty()) {
      read_elements(stored_, first * columns_, count * columns_, out);
      return;
    }
    // Reading one row of a transposed tensor would read all of its bytes, so it is read whole, and kept until its last
    // row has been read: tensors are read from the first row to the last.
    const std::lock_guard lock(mutex_);
    const uint64_t size = stored_.element_count();
    if (all_.empty()) {
      all_.resize(size);
      read_elements(stored_, 0, size, all_.data());
    }
    std::copy_n(all_.data() + first * columns_, count * columns_, out);
    if ((first + count) * columns_ == size) {
      all_ = {};
    }
  }

 private:
  StoredTensor stored_;
  uint64_t columns_;
  mutable std::mutex mutex_;
  mutable std::vector<float> all_;
};

class SliceSource final : public Source {
 public:
  SliceSource(std::shared_ptr<const Source> inner, uint64_t first) : inner_(std::move(inner)), first_(first) {}

  void read(uint64_t first, uint64_t count, float* out) const override { inner_->read(first_ + first, count, out); }

 private:
  std::shared_ptr<const Source> inner_;
  uint64_t first_;
};

}  // namespace

std::vector<float> Tensor::read_all() const {
  std::vector<float> values(rows() * columns());
  source->read(0, rows(), values.data());
  return values;
}

std::shared_ptr<const Source> stored_source(StoredTensor stored, uint64_t columns) {
  return std::make_shared<StoredSource>(std::move(stored), columns);
}

std::shared_ptr<const Source> memory_source(std::vector<float> values, uint64_t columns) {
  return std::make_shared<MemorySource>(std::move(values), columns);
}

Tensor row_slice(const Tensor& tensor, const std::string& name, uint32_t first, uint32_t count) {
  if (tensor.shape.size() == 2) {
    return {name, {count, tensor.shape[1]}, std::make_shared<SliceSource>(tensor.source, first), Storage::f32};
  }
  const std::vector<float> all = tensor.read_all();
  return {name, {count}, memory_source({all.begin() + first, all.begin() + first + count}, count), Storage::f32};
}

}  // namespace kinglet::convert
