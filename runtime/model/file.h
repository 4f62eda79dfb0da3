// Where the bytes of a model come from: a mapped file (or a part of one), or memory of the caller's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/error.h"

namespace kinglet {

// Move-only. Reading is thread-safe.
class File {
 public:
  File() = default;
  File(File&& other) noexcept;
  File& operator=(File&& other) noexcept;
  ~File();

  // Each of these replaces what was open before and, where it fails, leaves nothing open. INVALID_ARGUMENT: a null
  // pointer, an offset or address that is not a multiple of 4, a range outside the file. IO_ERROR: the operating
  // system refused, or it is not a regular file. BAD_MODEL: there are no bytes in it.
  kinglet_status open_path(const char* path, Error& error);
  // The descriptor is duplicated. length 0: to the end of the file.
  kinglet_status open_fd(int fd, uint64_t offset, uint64_t length, Error& error);
  // The memory must outlive the File.
  kinglet_status open_memory(const void* data, size_t size, Error& error);

  // Copies bytes by pread (memory: memcpy). IO_ERROR when the range is not in the file any more.
  kinglet_status read(uint64_t offset, void* out, size_t size, Error& error) const;
  // The mapping (read-only, shared); a page of it is touched only when it is read.
  const uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }

 private:
  void close();
  void swap(File& other);
  // Takes over `fd` and maps [offset, offset + length) of it; closes it when that fails.
  kinglet_status map(int fd, uint64_t offset, uint64_t length, Error& error);

  int fd_ = -1;              // -1: memory
  uint64_t fd_offset_ = 0;
  const uint8_t* data_ = nullptr;
  uint64_t size_ = 0;
  void* mapping_ = nullptr;  // page-aligned start of the mapping
  size_t mapping_size_ = 0;
};

}  // namespace kinglet
