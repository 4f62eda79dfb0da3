// Owning arrays whose allocation can fail without an exception: the only way in which the runtime takes memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <utility>

namespace kinglet {

// A 64-byte-aligned array of trivial elements. Move-only. Not thread-safe.
template <typename T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Buffer() { std::free(block_); }

  // Replaces the contents by `count` zeroed elements, which take no physical memory until they are touched.
  // False, and empty, when there is no memory for them.
  [[nodiscard]] bool allocate(size_t count) {
    std::free(std::exchange(block_, nullptr));
    data_ = nullptr;
    size_ = 0;
    if (count == 0) {
      return true;
    }
    if (count > (std::numeric_limits<size_t>::max() - 2 * kAlignment) / sizeof(T)) {
      return false;
    }
    block_ = std::calloc(1, count * sizeof(T) + kAlignment);
    if (block_ == nullptr) {
      return false;
    }
    const auto address = reinterpret_cast<uintptr_t>(block_);
    data_ = reinterpret_cast<T*>((address + kAlignment - 1) / kAlignment * kAlignment);
    size_ = count;
    return true;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  size_t size() const { return size_; }
  size_t bytes() const { return size_ * sizeof(T); }
  T& operator[](size_t index) { return data_[index]; }
  const T& operator[](size_t index) const { return data_[index]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

 private:
  static constexpr size_t kAlignment = 64;

  void swap(Buffer& other) {
    std::swap(block_, other.block_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  void* block_ = nullptr;
  T* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kinglet
