// A file that appears whole or not at all: written under a temporary name in the same folder, made durable, renamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace kinglet::convert {

// Whatever ends the work before commit (an error, SIGINT, SIGTERM, SIGHUP, a full disk) leaves the output as it was and
// nothing beside it. Signals that the program has handlers of its own for are left to them. One thread uses an object;
// several objects may exist at once.
class OutputFile {
 public:
  // Creates the temporary file. Throws Error when `path` is a directory or anything else that is not a regular file, or
  // its folder does not exist or cannot be written.
  explicit OutputFile(const std::filesystem::path& path);
  // A file without a name in the folder for temporary files, for the process to read back: it goes when this object
  // does, and commit does nothing. `what` stands for its path in messages. Throws Error.
  static OutputFile nameless(const std::string& what);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  // Throws Error when the bytes cannot all be written.
  void write(uint64_t offset, const void* data, size_t size);
  // Flushes to the disk and gives the file its name, in the place of what had it. Throws Error.
  void commit();
  // The name that the file is to have.
  const std::filesystem::path& path() const { return path_; }
  // For reading back; owned by this object.
  int descriptor() const { return fd_; }

 private:
  OutputFile(const std::string& what, int fd) : path_(what), fd_(fd) {}
  [[noreturn]] void fail(int error) const;

  std::filesystem::path path_;
  std::string temporary_;
  int fd_ = -1;
  int slot_ = -1;  // of the cleanup list
};

}  // namespace kinglet::convert
