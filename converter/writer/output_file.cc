// Atomic output.
#include "writer/output_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "writer/cleanup.h"
#include "writer/durable.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

OutputFile::OutputFile(const fs::path& path) : path_(path) {
  struct stat status;
  if (path.empty()) {
    refuse("the output path is empty");
  }
  if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    refuse(path.string(), S_ISDIR(status.st_mode) ? ": is a directory" : ": is not a regular file",
           ", expected a file to write");
  }
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (path.filename().empty()) {
    refuse(path.string(), ": names a directory, expected a file to write");
  }
  // The name is entered in the cleanup list before the file exists: a signal in between finds nothing to remove.
  static std::atomic<unsigned> counter = 0;
  do {
    forget_file(slot_);
    temporary_ =
        (folder / (".kinglet-" + std::to_string(getpid()) + "-" + std::to_string(counter++) + ".tmp")).string();
    slot_ = remember_file(temporary_.c_str());
    fd_ = open(temporary_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  } while (fd_ < 0 && errno == EEXIST);
  if (fd_ < 0) {
    const int error = errno;
    forget_file(slot_);
    refuse(path.string(), ": cannot be written: no file can be made in ", folder.string(), ": ", std::strerror(error));
  }
}

OutputFile OutputFile::nameless(const std::string& what) {
  std::error_code ignored;
  const fs::path folder = fs::temp_directory_path(ignored);
  std::string name = ((folder.empty() ? fs::path(".") : folder) / "kinglet-XXXXXX").string();
  const int fd = mkstemp(name.data());
  if (fd < 0) {
    refuse(what, ": no temporary file can be made in ", folder.string(), ": ", std::strerror(errno));
  }
  unlink(name.c_str());
  return {what, fd};
}

OutputFile::~OutputFile() {
  if (fd_ >= 0) {
    close(fd_);
  }
  if (!temporary_.empty()) {
    unlink(temporary_.c_str());
  }
  forget_file(slot_);
}

void OutputFile::write(uint64_t offset, const void* data, size_t size) {
  const int error = write_all(data, size, [&](const char* bytes, size_t left, size_t done) {
    return pwrite(fd_, bytes, left, static_cast<off_t>(offset + done));
  });
  if (error != 0) {
    fail(error);
  }
}

void OutputFile::commit() {
  if (temporary_.empty()) {
    return;
  }
  if (const int error = flush_and_close(&fd_); error != 0) {
    fail(error);
  }
  if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
    fail(errno);
  }
  temporary_.clear();
  flush_names(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

void OutputFile::fail(int error) const {
  refuse(path_.string(), ": cannot be written: ", std::strerror(error), "; nothing was left behind");
}

}  // namespace kinglet::convert
