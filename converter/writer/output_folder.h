// A folder that appears whole or not at all: written under a temporary name beside its place, made durable, renamed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <list>
#include <set>
#include <string>

#include "base/json_file.h"

namespace kinglet::convert {

// Whatever ends the work before commit (an error, SIGINT, SIGTERM, SIGHUP, a full disk) leaves what was at `path` as it
// was and nothing beside it. A folder that is there already is replaced when it is empty, or when kinglet.json, which
// every such folder gets, lists every file in it: a folder that holds anything else is never touched. One thread uses
// an object; several may exist at once.
class OutputFolder {
 public:
  // Creates the temporary folder. Throws Error when `path` may not be replaced or its parent cannot be written.
  explicit OutputFolder(const std::filesystem::path& path);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder();

  // A file is begun by its name, with slashes and inside the folder, gets its bytes in order, and is ended. Throw
  // Error.
  void begin(const std::string& name);
  void write(const void* data, size_t size);
  void end();
  void add(const std::string& name, const std::string& bytes);  // all three
  bool has(const std::string& name) const { return files_.count(name) != 0; }
  // Where the files are until they are committed.
  const std::filesystem::path& temporary() const { return temporary_; }

  // Writes kinglet.json (`facts`, an object, and the list of files), flushes everything to the disk and gives the
  // folder its name. Throws Error.
  void commit(Json facts);

  // Throws Error when a folder at `path` could not be made or replaced: for asking before work that takes long.
  static void check(const std::filesystem::path& path);

 private:
  [[noreturn]] void fail(int error) const;
  void remember(const std::string& path);
  void make_parents(const std::string& name);
  void sync_folders() const;
  void take_place();

  std::filesystem::path path_, temporary_;
  std::set<std::string> files_, folders_;  // relative names
  std::list<std::string> remembered_;      // paths in the cleanup list
  std::list<int> slots_;
  int fd_ = -1;
  bool committed_ = false;
};

}  // namespace kinglet::convert
