// Bytes on their way to the disk: what files and folders that appear whole have in common.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>

namespace kinglet::convert {

// Calls write(bytes, size, how many went before) until all is written; 0, or the system's error.
template <typename Write>
int write_all(const void* data, size_t size, Write write) {
  const auto* bytes = static_cast<const char*>(data);
  for (size_t done = 0; done < size;) {
    const ssize_t written = write(bytes + done, size - done, done);
    if (written < 0 && errno == EINTR) {
      continue;
    }
    if (written <= 0) {
      return written < 0 ? errno : ENOSPC;
    }
    done += static_cast<size_t>(written);
  }
  return 0;
}

// Flushes and closes *fd, and makes it -1 once it is closed; 0, or the system's error.
int flush_and_close(int* fd);

// Flushes a folder's names, where its file system can.
void flush_names(const std::filesystem::path& folder);

}  // namespace kinglet::convert
