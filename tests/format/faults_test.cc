// Memory that runs out at every single allocation, and reads that come short, are interrupted or fail. The linker puts
// the functions here between the runtime and the C library (CMakeLists.txt).
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "format/example.h"
#include "support/temporary.h"

namespace {

bool active = false;
int calls = 0;            // allocations and mappings, or reads, since `active`
int failing = -1;         // the one of them that fails
enum class Reads { whole, short_and_interrupted, failing } reads = Reads::whole;

bool fails() { return active && calls++ == failing; }

}  // namespace

extern "C" {
void* __real_calloc(size_t count, size_t size);
void* __real_mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset);
ssize_t __real_pread(int fd, void* out, size_t size, off_t offset);

void* __wrap_calloc(size_t count, size_t size) { return fails() ? nullptr : __real_calloc(count, size); }

void* __wrap_mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) {
  if (fails()) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  return __real_mmap(address, size, protection, flags, fd, offset);
}

ssize_t __wrap_pread(int fd, void* out, size_t size, off_t offset) {
  static unsigned turn = 0;
  if (active && reads == Reads::short_and_interrupted) {
    if (++turn % 2 == 0) {
      errno = EINTR;
      return -1;
    }
    size = size > 1000 ? 1000 : size;
  }
  if (active && reads == Reads::failing && calls++ == failing) {
    errno = EIO;
    return -1;
  }
  return __real_pread(fd, out, size, offset);
}
}

namespace {

using namespace kinglet;
using namespace kinglet::test;

class FileOnDisk {
 public:
  FileOnDisk() : path_(folder_ / "model.kgl") {
    const Bytes bytes = build_model(example());
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  // Opens the file while the faults are on.
  kinglet_status open(Error& error) const {
    Model model;
    calls = 0;
    active = true;
    const kinglet_status status = model.open_path(path_.c_str(), error);
    active = false;
    return status;
  }

 private:
  TemporaryFolder folder_;
  std::string path_;
};

}  // namespace

TEST_CASE("memory that runs out at any allocation is an error") {
  const FileOnDisk file;
  reads = Reads::whole;
  int failed = 0;
  for (failing = 0;; ++failing) {
    Error error;
    const kinglet_status status = file.open(error);
    if (calls <= failing) {  // nothing failed this time
      CHECK_MESSAGE(status == KINGLET_OK, error.message);
      break;
    }
    ++failed;
    CAPTURE(failing);
    CHECK(status == KINGLET_OUT_OF_MEMORY);
    CHECK(std::string(error.message).find("model.kgl: ") != std::string::npos);
  }
  CHECK(failed >= 5);  // the mapping, the table, the order of tensors, the values, the buffer
  failing = -1;
}

TEST_CASE("reads that come short and are interrupted are continued") {
  const FileOnDisk file;
  failing = -1;
  reads = Reads::short_and_interrupted;
  Error error;
  CHECK_MESSAGE(file.open(error) == KINGLET_OK, error.message);
  reads = Reads::whole;
}

TEST_CASE("a read that fails is an error, whichever it is") {
  const FileOnDisk file;
  reads = Reads::failing;
  int failed = 0;
  for (failing = 0;; ++failing) {
    Error error;
    const kinglet_status status = file.open(error);
    if (status == KINGLET_OK) {
      break;
    }
    // Some of the calls counted are allocations and fail as such.
    CHECK((status == KINGLET_IO_ERROR || status == KINGLET_OUT_OF_MEMORY));
    if (status == KINGLET_IO_ERROR) {
      ++failed;
      CHECK(std::string(error.message).find("Input/output error") != std::string::npos);
    }
  }
  CHECK(failed >= 3);  // the header, the table, the weights
  reads = Reads::whole;
  failing = -1;
}
