// The directory of a zip archive: end record → (zip64 end record) → central directory → local headers.
#include "readers/zip.h"

#include <algorithm>
#include <vector>

#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kEndSize = 22, kLocatorSize = 20, kEnd64Size = 56, kCentralSize = 46, kLocalSize = 30;
constexpr uint32_t kEndMagic = 0x06054b50, kLocatorMagic = 0x07064b50, kEnd64Magic = 0x06064b50;
constexpr uint32_t kCentralMagic = 0x02014b50, kLocalMagic = 0x04034b50;
constexpr uint64_t kMaxDirectory = 256 << 20;

// Little-endian numbers at a place whose bounds the caller has checked.
uint16_t u16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] | p[1] << 8);
}
uint32_t u32(const uint8_t* p) {
  return u16(p) | static_cast<uint32_t>(u16(p + 2)) << 16;
}
uint64_t u64(const uint8_t* p) {
  return u32(p) | static_cast<uint64_t>(u32(p + 4)) << 32;
}

struct Directory {
  uint64_t offset, size, count;
};

class ZipReader {
 public:
  explicit ZipReader(const InputFile& file) : file_(file) {}

  std::map<std::string, ZipEntry> read() {
    const Directory directory = find_directory();
    std::vector<uint8_t> bytes(directory.size);
    file_.read(directory.offset, bytes.data(), bytes.size());
    std::map<std::string, ZipEntry> entries;
    uint64_t at = 0;
    for (uint64_t i = 0; i < directory.count; ++i) {
      read_entry(bytes, &at, &entries);
    }
    return entries;
  }

 private:
  Directory find_directory() {
    // The end record is the last thing in the file but for a comment of at most 65,535 bytes.
    const uint64_t tail_size = std::min<uint64_t>(file_.size(), kEndSize + 65535);
    if (tail_size < kEndSize) {
      refuse_archive("is too short");
    }
    std::vector<uint8_t> tail(tail_size);
    file_.read(file_.size() - tail_size, tail.data(), tail_size);
    uint64_t at = tail_size - kEndSize;
    while (u32(&tail[at]) != kEndMagic || at + kEndSize + u16(&tail[at + 20]) != tail_size) {
      if (at-- == 0) {
        refuse_archive("has no end record: it is truncated, or is not a zip archive");
      }
    }
    const uint8_t* end = &tail[at];
    Directory directory = {u32(end + 16), u32(end + 12), u16(end + 10)};
    const uint64_t end_offset = file_.size() - tail_size + at;
    uint64_t limit = end_offset;
    if (directory.offset == 0xffffffff || directory.size == 0xffffffff || directory.count == 0xffff) {
      limit = read_end64(end_offset, &directory);
    }
    if (directory.offset > limit || directory.size > limit - directory.offset) {
      refuse_archive("says that its directory lies at byte ", directory.offset, " and takes ", directory.size,
                     ", beyond its end");
    }
    if (directory.size > kMaxDirectory || directory.count > directory.size / kCentralSize) {
      refuse_archive("says that its directory of ", directory.size, " bytes has ", directory.count, " entries");
    }
    return directory;
  }

  // Replaces the directory's place by the zip64 one, where there is one. Returns where the directory must end.
  uint64_t read_end64(uint64_t end_offset, Directory* directory) {
    if (end_offset < kLocatorSize) {
      return end_offset;
    }
    uint8_t locator[kLocatorSize];
    file_.read(end_offset - kLocatorSize, locator, kLocatorSize);
    if (u32(locator) != kLocatorMagic) {
      return end_offset;
    }
    const uint64_t offset = u64(locator + 8);
    if (offset > end_offset || end_offset - offset < kEnd64Size) {
      refuse_archive("has a zip64 end record that lies beyond its end");
    }
    uint8_t end64[kEnd64Size];
    file_.read(offset, end64, kEnd64Size);
    if (u32(end64) != kEnd64Magic) {
      refuse_archive("has no zip64 end record where it says");
    }
    *directory = {u64(end64 + 48), u64(end64 + 40), u64(end64 + 32)};
    return offset;
  }

  void read_entry(const std::vector<uint8_t>& bytes, uint64_t* at, std::map<std::string, ZipEntry>* entries) {
    const uint64_t left = bytes.size() - *at;
    if (left < kCentralSize || u32(&bytes[*at]) != kCentralMagic) {
      refuse_archive("has a damaged directory");
    }
    const uint8_t* central = &bytes[*at];
    const uint64_t name_size = u16(central + 28), extra_size = u16(central + 30), comment_size = u16(central + 32);
    if (left - kCentralSize < name_size + extra_size + comment_size) {
      refuse_archive("has a directory that ends within an entry");
    }
    const std::string name(reinterpret_cast<const char*>(central + kCentralSize), name_size);
    uint64_t packed = u32(central + 20), size = u32(central + 24), local = u32(central + 42);
    read_extra64(central + kCentralSize + name_size, extra_size, &size, &packed, &local);
    *at += kCentralSize + name_size + extra_size + comment_size;

    if ((u16(central + 8) & 1) != 0) {
      refuse_entry(name, "is encrypted");
    }
    if (const uint16_t method = u16(central + 10); method != 0) {
      refuse_entry(name, "is compressed (method ", method, method == 8 ? ", deflate" : "",
                   "), expected stored entries as torch.save writes them");
    }
    if (size != packed) {
      refuse_entry(name, "is stored, but says that it takes ", packed, " bytes for ", size);
    }
    const ZipEntry entry = {data_offset(name, local), size};
    if (entry.size > file_.size() - entry.offset) {
      refuse_entry(name, "says that it has ", size, " bytes, more than the file");
    }
    if (!entries->emplace(name, entry).second) {
      refuse_entry(name, "is there twice");
    }
  }

  // The zip64 extra field holds, in this order, those of the three numbers that are all ones in the entry.
  static void read_extra64(const uint8_t* extra, uint64_t extra_size, uint64_t* size, uint64_t* packed,
                           uint64_t* local) {
    while (extra_size >= 4) {
      const uint64_t field_size = std::min<uint64_t>(u16(extra + 2), extra_size - 4);
      if (u16(extra) == 1) {
        const uint8_t* next = extra + 4;
        const uint8_t* field_end = next + field_size;
        for (uint64_t* number : {size, packed, local}) {
          if (*number == 0xffffffff && field_end - next >= 8) {
            *number = u64(next);
            next += 8;
          }
        }
        return;
      }
      extra += 4 + field_size;
      extra_size -= 4 + field_size;
    }
  }

  // Where an entry's bytes begin: behind its local header, whose name and extra field have sizes of their own.
  uint64_t data_offset(const std::string& name, uint64_t local) {
    if (local > file_.size() || file_.size() - local < kLocalSize) {
      refuse_entry(name, "says that it begins at byte ", local, ", beyond the file's end");
    }
    uint8_t header[kLocalSize];
    file_.read(local, header, kLocalSize);
    if (u32(header) != kLocalMagic) {
      refuse_entry(name, "has no local header where the directory says");
    }
    const uint64_t skip = kLocalSize + u16(header + 26) + u16(header + 28);
    if (skip > file_.size() - local) {
      refuse_entry(name, "has a local header that does not fit into the file");
    }
    return local + skip;
  }

  template <typename... Parts>
  [[noreturn]] void refuse_archive(const Parts&... parts) {
    refuse(file_.name(), ": the zip archive ", parts...);
  }
  template <typename... Parts>
  [[noreturn]] void refuse_entry(const std::string& name, const Parts&... parts) {
    refuse(file_.name(), ": the zip entry ", quote(name), " ", parts...);
  }

  const InputFile& file_;
};

}  // namespace

std::map<std::string, ZipEntry> read_zip(const InputFile& file) {
  return ZipReader(file).read();
}

}  // namespace kinglet::convert
