// The directory of a zip archive (APPNOTE 6.3, zip64 included) whose entries are stored without compression, as
// torch.save writes them.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "readers/input_file.h"

namespace kinglet::convert {

struct ZipEntry {
  uint64_t offset = 0;  // of its bytes in the file
  uint64_t size = 0;
};

// All entries by name. Throws Error when the file is not a zip archive, lies about a size or offset, has a name twice,
// or has an entry that is compressed or encrypted.
std::map<std::string, ZipEntry> read_zip(const InputFile& file);

}  // namespace kinglet::convert
