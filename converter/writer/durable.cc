// Flushing.
#include "writer/durable.h"

#include <fcntl.h>
#include <unistd.h>

namespace kinglet::convert {

int flush_and_close(int* fd) {
  if (fsync(*fd) != 0) {
    return errno;
  }
  // Some file systems report a full disk only here.
  const int closed = close(*fd);
  *fd = -1;
  return closed != 0 && errno != EINTR ? errno : 0;
}

void flush_names(const std::filesystem::path& folder) {
  if (const int directory = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); directory >= 0) {
    fsync(directory);  // where a file system cannot do this, the names are as durable as they get
    close(directory);
  }
}

}  // namespace kinglet::convert
