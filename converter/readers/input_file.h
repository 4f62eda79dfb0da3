// Random access to a checkpoint's bytes by pread, so that reading does not map (and count) the whole file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace kinglet::convert {

// Immutable; safe to read from any thread.
class InputFile {
 public:
  virtual ~InputFile() = default;
  virtual uint64_t size() const = 0;
  // Copies bytes [offset, offset + count). Throws Error when they are not all there or cannot be read.
  virtual void read(uint64_t offset, void* out, size_t count) const = 0;
  // For errors.
  const std::string& name() const { return name_; }

 protected:
  explicit InputFile(std::string name) : name_(std::move(name)) {}
  // Throws Error unless the range lies in the file.
  void check_range(uint64_t offset, uint64_t count) const;

 private:
  std::string name_;
};

// Opens a regular file (or a link to one). Throws Error.
std::shared_ptr<const InputFile> open_file(const std::filesystem::path& path);

// The same face on memory that the result owns.
std::shared_ptr<const InputFile> memory_file(std::vector<uint8_t> bytes, std::string name);

}  // namespace kinglet::convert
