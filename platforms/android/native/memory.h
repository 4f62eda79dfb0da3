// Memory of the JNI library: malloc and free behind two small types, so that the library needs no C++ runtime.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

namespace kinglet::jni {

// An array that grows. What it holds is moved when it grows, so nobody may keep pointers into it meanwhile. T must be
// trivial.
template <typename T>
class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;
  ~Array() { free(data_); }

  T* data() { return data_; }
  size_t size() const { return size_; }
  T& operator[](size_t i) { return data_[i]; }
  void clear() { size_ = 0; }
  // Forgets the elements, and gives back the memory where it is more than a usual call needs.
  void trim() {
    size_ = 0;
    if (capacity_ > kKeptBytes / sizeof(T)) {
      free(data_);
      data_ = nullptr;
      capacity_ = 0;
    }
  }
  // Room for `more` elements behind those that are there; false when there is no memory.
  bool reserve(size_t more) {
    if (more <= capacity_ - size_) {
      return true;
    }
    constexpr size_t kMost = PTRDIFF_MAX / sizeof(T);
    if (more > kMost - size_) {
      return false;
    }
    size_t capacity = size_ + more;
    if (const size_t twice = 2 * capacity_; capacity < twice && twice <= kMost) {
      capacity = twice;
    }
    void* moved = realloc(data_, capacity * sizeof(T));
    if (moved == nullptr) {
      return false;
    }
    data_ = static_cast<T*>(moved);
    capacity_ = capacity;
    return true;
  }
  // New elements are not initialised.
  bool resize(size_t size) {
    if (size > size_ && !reserve(size - size_)) {
      return false;
    }
    size_ = size;
    return true;
  }
  bool push(T value) {
    if (!reserve(1)) {
      return false;
    }
    data_[size_++] = value;
    return true;
  }
  // For writers that filled what `reserve` gave.
  void added(size_t count) { size_ += count; }

 private:
  static constexpr size_t kKeptBytes = 1 << 20;

  T* data_ = nullptr;
  size_t size_ = 0, capacity_ = 0;
};

}  // namespace kinglet::jni
