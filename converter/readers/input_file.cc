// Random access to files and memory.
#include "readers/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/text.h"

namespace kinglet::convert {

namespace {

class DiskFile final : public InputFile {
 public:
  explicit DiskFile(const std::filesystem::path& path) : InputFile(path.string()) {
    // O_NONBLOCK: opening a FIFO must not hang.
    fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd_ < 0) {
      refuse(name(), ": cannot be opened: ", std::strerror(errno));
    }
    struct stat status;
    const int failed = fstat(fd_, &status);
    if (failed != 0 || !S_ISREG(status.st_mode)) {
      close(fd_);
      refuse(name(), failed == 0 && S_ISDIR(status.st_mode) ? ": is a directory" : ": is not a regular file",
             ", expected a file");
    }
    size_ = static_cast<uint64_t>(status.st_size);
  }
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;
  ~DiskFile() override { close(fd_); }

  uint64_t size() const override { return size_; }

  void read(uint64_t offset, void* out, size_t count) const override {
    check_range(offset, count);
    auto* next = static_cast<char*>(out);
    while (count > 0) {
      const ssize_t got = pread(fd_, next, count, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) {
        continue;
      }
      if (got < 0) {
        refuse(name(), ": cannot be read at byte ", offset, ": ", std::strerror(errno));
      }
      if (got == 0) {
        refuse(name(), ": ends at byte ", offset, ", it has become shorter while it was read");
      }
      next += got;
      offset += static_cast<uint64_t>(got);
      count -= static_cast<size_t>(got);
    }
  }

 private:
  int fd_;
  uint64_t size_ = 0;
};

class MemoryFile final : public InputFile {
 public:
  MemoryFile(std::vector<uint8_t> bytes, std::string name) : InputFile(std::move(name)), bytes_(std::move(bytes)) {}

  uint64_t size() const override { return bytes_.size(); }

  void read(uint64_t offset, void* out, size_t count) const override {
    check_range(offset, count);
    if (count > 0) {
      std::memcpy(out, bytes_.data() + offset, count);
    }
  }

 private:
  std::vector<uint8_t> bytes_;
};

}  // namespace

void InputFile::check_range(uint64_t offset, uint64_t count) const {
  if (offset > size() || count > size() - offset) {
    refuse(name(), ": ends at byte ", size(), ", but bytes ", offset, " to ", offset + count, " were expected");
  }
}

std::shared_ptr<const InputFile> open_file(const std::filesystem::path& path) {
  return std::make_shared<DiskFile>(path);
}

std::shared_ptr<const InputFile> memory_file(std::vector<uint8_t> bytes, std::string name) {
  return std::make_shared<MemoryFile>(std::move(bytes), std::move(name));
}

}  // namespace kinglet::convert
