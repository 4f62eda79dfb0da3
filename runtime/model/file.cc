// Files by mmap and pread, and memory by its address.
#include "model/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstring>
#include <limits>
#include <utility>

namespace kinglet {
namespace {

constexpr uint64_t kAddressAlignment = 4;

const char* kind_name(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return "a directory";
    case S_IFIFO:
      return "a pipe";
    case S_IFSOCK:
      return "a socket";
    default:
      return "a device";
  }
}

// The size of a regular file; an error for everything else.
kinglet_status regular_size(int fd, uint64_t* size, Error& error) {
  struct stat status;
  if (::fstat(fd, &status) != 0) {
    return fail(error, KINGLET_IO_ERROR, "cannot look at the file: %s", std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(error, KINGLET_IO_ERROR, "is %s; expected a .kgl file", kind_name(status.st_mode));
  }
  *size = static_cast<uint64_t>(status.st_size);
  return KINGLET_OK;
}

}  // namespace

File::File(File&& other) noexcept { swap(other); }

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    swap(other);
  }
  return *this;
}

File::~File() { close(); }

void File::close() {
  if (mapping_ != nullptr) {
    ::munmap(mapping_, mapping_size_);
  }
  if (fd_ >= 0) {
    ::close(fd_);
  }
  mapping_ = nullptr;
  mapping_size_ = 0;
  fd_ = -1;
  fd_offset_ = 0;
  data_ = nullptr;
  size_ = 0;
}

void File::swap(File& other) {
  std::swap(fd_, other.fd_);
  std::swap(fd_offset_, other.fd_offset_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_size_, other.mapping_size_);
}

kinglet_status File::open_path(const char* path, Error& error) {
  close();
  if (path == nullptr) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "the path is NULL; expected the name of a .kgl file");
  }
  // Without O_NONBLOCK a pipe would wait for somebody to write to it.
  int fd;
  do {
    fd = ::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) {
    return fail(error, KINGLET_IO_ERROR, "cannot open: %s; expected a readable .kgl file", std::strerror(errno));
  }
  uint64_t size = 0;
  if (const kinglet_status status = regular_size(fd, &size, error); status != KINGLET_OK) {
    ::close(fd);
    return status;
  }
  return map(fd, 0, size, error);
}

kinglet_status File::open_fd(int fd, uint64_t offset, uint64_t length, Error& error) {
  close();
  if (fd < 0) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "the descriptor is %d; expected an open file", fd);
  }
  if (offset % kAddressAlignment != 0) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "the offset is %" PRIu64 "; expected a multiple of 4", offset);
  }
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) {
    return fail(error, KINGLET_IO_ERROR, "cannot duplicate the descriptor: %s", std::strerror(errno));
  }
  uint64_t size = 0;
  kinglet_status status = regular_size(copy, &size, error);
  if (status == KINGLET_OK && (offset > size || length > size - offset)) {
    status = fail(error, KINGLET_INVALID_ARGUMENT,
                  "%" PRIu64 " bytes from offset %" PRIu64 " on are asked for, but the file has %" PRIu64, length,
                  offset, size);
  }
  if (status != KINGLET_OK) {
    ::close(copy);
    return status;
  }
  return map(copy, offset, length == 0 ? size - offset : length, error);
}

kinglet_status File::open_memory(const void* data, size_t size, Error& error) {
  close();
  if (data == nullptr) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "the address is NULL; expected the bytes of a .kgl file");
  }
  if (reinterpret_cast<uintptr_t>(data) % kAddressAlignment != 0) {
    return fail(error, KINGLET_INVALID_ARGUMENT, "the address is %p; expected a multiple of 4", data);
  }
  if (size == 0) {
    return fail(error, KINGLET_BAD_MODEL, "is empty; expected the bytes of a .kgl file");
  }
  data_ = static_cast<const uint8_t*>(data);
  size_ = size;
  return KINGLET_OK;
}

kinglet_status File::map(int fd, uint64_t offset, uint64_t length, Error& error) {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t lead = offset % page;
  if (length == 0) {
    ::close(fd);
    return fail(error, KINGLET_BAD_MODEL, "is empty; expected a .kgl file");
  }
  if (length > std::numeric_limits<size_t>::max() / 2) {
    ::close(fd);
    return fail(error, KINGLET_UNSUPPORTED, "has %" PRIu64 " bytes, more than this processor can address", length);
  }
  const auto mapping_size = static_cast<size_t>(length + lead);
  void* mapping = ::mmap(nullptr, mapping_size, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset - lead));
  if (mapping == MAP_FAILED) {
    const int reason = errno;
    ::close(fd);
    return fail(error, reason == ENOMEM ? KINGLET_OUT_OF_MEMORY : KINGLET_IO_ERROR, "cannot map %" PRIu64 " bytes: %s",
                length, std::strerror(reason));
  }
  fd_ = fd;
  fd_offset_ = offset;
  mapping_ = mapping;
  mapping_size_ = mapping_size;
  data_ = static_cast<const uint8_t*>(mapping) + lead;
  size_ = length;
  return KINGLET_OK;
}

kinglet_status File::read(uint64_t offset, void* out, size_t size, Error& error) const {
  if (offset > size_ || size > size_ - offset) {
    return fail(error, KINGLET_IO_ERROR, "%zu bytes at byte %" PRIu64 " lie outside the model of %" PRIu64 " bytes",
                size, offset, size_);
  }
  if (fd_ < 0) {
    std::memcpy(out, data_ + offset, size);
    return KINGLET_OK;
  }
  auto* to = static_cast<uint8_t*>(out);
  while (size > 0) {
    const ssize_t got = ::pread(fd_, to, size, static_cast<off_t>(fd_offset_ + offset));
    if (got < 0 && errno == EINTR) {
      continue;
    }
    if (got < 0) {
      return fail(error, KINGLET_IO_ERROR, "cannot read %zu bytes at byte %" PRIu64 ": %s", size, offset,
                  std::strerror(errno));
    }
    if (got == 0) {
      return fail(error, KINGLET_IO_ERROR, "the file ends at byte %" PRIu64 "; it became shorter while it was open",
                  offset);
    }
    to += got;
    offset += static_cast<uint64_t>(got);
    size -= static_cast<size_t>(got);
  }
  return KINGLET_OK;
}

}  // namespace kinglet
