// Files, descriptors and memory as sources of bytes.
#include "model/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/temporary.h"

namespace {

using kinglet::Error;
using kinglet::File;
using kinglet::test::TemporaryFolder;

std::string counting(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) {
    text[i] = static_cast<char>(i * 7 + i / 256);
  }
  return text;
}

std::string write_file(const TemporaryFolder& folder, const std::string& text) {
  const std::string path = folder / "file";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

void check_message(const Error& error, const char* part) {
  const std::string message = error.message;
  CAPTURE(message);
  CHECK(message.find(part) != std::string::npos);
}

// Opens and closes a descriptor around a test.
struct Descriptor {
  explicit Descriptor(const std::string& path) : fd(::open(path.c_str(), O_RDONLY)) { REQUIRE(fd >= 0); }
  ~Descriptor() { ::close(fd); }
  const int fd;
};

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    ++count;
  }
  return count;
}

}  // namespace

TEST_CASE("a path: the mapping and pread give the same bytes") {
  const TemporaryFolder folder;
  const std::string text = counting(10000);
  Error error;
  File file;
  REQUIRE(file.open_path(write_file(folder, text).c_str(), error) == KINGLET_OK);
  REQUIRE(file.size() == text.size());
  CHECK(std::memcmp(file.data(), text.data(), text.size()) == 0);
  std::string part(5000, 'x');
  REQUIRE(file.read(4321, part.data(), part.size(), error) == KINGLET_OK);
  CHECK(part == text.substr(4321, 5000));
  CHECK(file.read(0, part.data(), 0, error) == KINGLET_OK);
  CHECK(file.read(10000, part.data(), 0, error) == KINGLET_OK);
}

TEST_CASE("a descriptor: any multiple of 4 inside a larger file, and the caller may close its own") {
  const TemporaryFolder folder;
  const std::string text = counting(20000);
  const std::string path = write_file(folder, text);
  for (const uint64_t offset : {0u, 4u, 100u, 4092u, 4096u, 4100u, 12344u}) {
    Error error;
    File file;
    {
      const Descriptor descriptor(path);
      REQUIRE(file.open_fd(descriptor.fd, offset, 5000, error) == KINGLET_OK);
    }
    CAPTURE(offset);
    REQUIRE(file.size() == 5000);
    CHECK(reinterpret_cast<uintptr_t>(file.data()) % 4 == 0);
    CHECK(std::memcmp(file.data(), text.data() + offset, 5000) == 0);
    std::string part(300, 'x');
    REQUIRE(file.read(4700, part.data(), part.size(), error) == KINGLET_OK);
    CHECK(part == text.substr(offset + 4700, 300));
    CHECK(file.read(4701, part.data(), part.size(), error) == KINGLET_IO_ERROR);
  }
}

TEST_CASE("a descriptor with length 0 goes to the end of the file") {
  const TemporaryFolder folder;
  const Descriptor descriptor(write_file(folder, counting(9000)));
  Error error;
  File file;
  REQUIRE(file.open_fd(descriptor.fd, 5000, 0, error) == KINGLET_OK);
  CHECK(file.size() == 4000);
}

TEST_CASE("memory: no copy, and reads within it only") {
  alignas(8) const char text[16] = "0123456789abcde";
  Error error;
  File file;
  REQUIRE(file.open_memory(text + 4, 8, error) == KINGLET_OK);
  CHECK(file.data() == reinterpret_cast<const uint8_t*>(text + 4));
  char part[9] = "";
  REQUIRE(file.read(1, part, 7, error) == KINGLET_OK);
  CHECK(std::string(part) == "56789ab");
  CHECK(file.read(2, part, 7, error) == KINGLET_IO_ERROR);
  CHECK(file.read(~uint64_t{0}, part, 7, error) == KINGLET_IO_ERROR);
}

TEST_CASE("a path that does not exist") {
  const TemporaryFolder folder;
  Error error;
  File file;
  CHECK(file.open_path((folder / "nothing").c_str(), error) == KINGLET_IO_ERROR);
  check_message(error, "cannot open: No such file or directory");
}
TEST_CASE("a path that is a directory") {
  const TemporaryFolder folder;
  Error error;
  File file;
  CHECK(file.open_path(folder.path().c_str(), error) == KINGLET_IO_ERROR);
  check_message(error, "is a directory; expected a .kgl file");
}
TEST_CASE("a path that is a pipe does not wait for a writer") {
  const TemporaryFolder folder;
  const std::string path = folder / "pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  Error error;
  File file;
  CHECK(file.open_path(path.c_str(), error) == KINGLET_IO_ERROR);
  check_message(error, "is a pipe; expected a .kgl file");
}
TEST_CASE("a path that is a device") {
  Error error;
  File file;
  CHECK(file.open_path("/dev/zero", error) == KINGLET_IO_ERROR);
  check_message(error, "is a device; expected a .kgl file");
}
TEST_CASE("an empty file") {
  const TemporaryFolder folder;
  Error error;
  File file;
  CHECK(file.open_path(write_file(folder, "").c_str(), error) == KINGLET_BAD_MODEL);
  check_message(error, "is empty; expected a .kgl file");
}
TEST_CASE("a file without permission") {
  if (::geteuid() == 0) {
    MESSAGE("SKIPPED: root may read any file");
    return;
  }
  const TemporaryFolder folder;
  const std::string path = write_file(folder, "text");
  REQUIRE(::chmod(path.c_str(), 0) == 0);
  Error error;
  File file;
  CHECK(file.open_path(path.c_str(), error) == KINGLET_IO_ERROR);
  check_message(error, "cannot open: Permission denied");
}
TEST_CASE("a path of NULL") {
  Error error;
  File file;
  CHECK(file.open_path(nullptr, error) == KINGLET_INVALID_ARGUMENT);
  check_message(error, "the path is NULL");
}
TEST_CASE("a descriptor that is not open") {
  Error error;
  File file;
  CHECK(file.open_fd(-1, 0, 0, error) == KINGLET_INVALID_ARGUMENT);
  check_message(error, "the descriptor is -1");
  CHECK(file.open_fd(999999, 0, 0, error) == KINGLET_IO_ERROR);
  check_message(error, "cannot duplicate the descriptor: Bad file descriptor");
}
TEST_CASE("a descriptor that was opened for writing only") {
  const TemporaryFolder folder;
  const int fd = ::open(write_file(folder, "text").c_str(), O_WRONLY);
  REQUIRE(fd >= 0);
  Error error;
  File file;
  CHECK(file.open_fd(fd, 0, 0, error) == KINGLET_IO_ERROR);
  check_message(error, "cannot map 4 bytes: Permission denied");
  ::close(fd);
}
TEST_CASE("an offset that is not a multiple of 4") {
  const TemporaryFolder folder;
  const Descriptor descriptor(write_file(folder, counting(100)));
  Error error;
  File file;
  CHECK(file.open_fd(descriptor.fd, 6, 8, error) == KINGLET_INVALID_ARGUMENT);
  check_message(error, "the offset is 6; expected a multiple of 4");
}
TEST_CASE("a range beyond the end of the file") {
  const TemporaryFolder folder;
  const Descriptor descriptor(write_file(folder, counting(100)));
  Error error;
  File file;
  CHECK(file.open_fd(descriptor.fd, 104, 0, error) == KINGLET_INVALID_ARGUMENT);
  CHECK(file.open_fd(descriptor.fd, 64, 37, error) == KINGLET_INVALID_ARGUMENT);
  check_message(error, "37 bytes from offset 64 on are asked for, but the file has 100");
  CHECK(file.open_fd(descriptor.fd, 64, ~uint64_t{0}, error) == KINGLET_INVALID_ARGUMENT);
  CHECK(file.open_fd(descriptor.fd, 100, 0, error) == KINGLET_BAD_MODEL);
}
TEST_CASE("memory at an address that is not a multiple of 4") {
  alignas(8) const char text[16] = "";
  Error error;
  File file;
  CHECK(file.open_memory(text + 2, 8, error) == KINGLET_INVALID_ARGUMENT);
  check_message(error, "expected a multiple of 4");
}
TEST_CASE("memory at NULL, and no memory") {
  alignas(4) const char text[4] = "";
  Error error;
  File file;
  CHECK(file.open_memory(nullptr, 8, error) == KINGLET_INVALID_ARGUMENT);
  check_message(error, "the address is NULL");
  CHECK(file.open_memory(text, 0, error) == KINGLET_BAD_MODEL);
  check_message(error, "is empty");
}

TEST_CASE("a file that becomes shorter is an error of read") {
  const TemporaryFolder folder;
  const std::string path = write_file(folder, counting(1000));
  Error error;
  File file;
  REQUIRE(file.open_path(path.c_str(), error) == KINGLET_OK);
  std::filesystem::resize_file(path, 500);
  std::string part(400, 'x');
  CHECK(file.read(0, part.data(), 400, error) == KINGLET_OK);
  CHECK(file.read(300, part.data(), 400, error) == KINGLET_IO_ERROR);
  check_message(error, "the file ends at byte 500");
}

TEST_CASE("moving keeps the bytes, and nothing is leaked") {
  const TemporaryFolder folder;
  const std::string text = counting(5000);
  const std::string path = write_file(folder, text);
  const size_t before = open_descriptors();
  {
    Error error;
    File a, b;
    REQUIRE(a.open_path(path.c_str(), error) == KINGLET_OK);
    REQUIRE(b.open_path(path.c_str(), error) == KINGLET_OK);
    CHECK(open_descriptors() == before + 2);
    b = std::move(a);
    CHECK(open_descriptors() == before + 1);
    CHECK(a.data() == nullptr);
    CHECK(std::memcmp(b.data(), text.data(), text.size()) == 0);
    File c(std::move(b));
    CHECK(c.size() == text.size());
    // Opening again lets go of what was open.
    REQUIRE(c.open_path(path.c_str(), error) == KINGLET_OK);
    CHECK(open_descriptors() == before + 1);
    CHECK(c.open_path(folder.path().c_str(), error) == KINGLET_IO_ERROR);
    CHECK(open_descriptors() == before);
    CHECK(c.data() == nullptr);
  }
  CHECK(open_descriptors() == before);
}
