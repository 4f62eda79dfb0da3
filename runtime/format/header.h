// The first 64 bytes of a .kgl file. All numbers are little-endian; README.md in this folder draws the bytes.
#pragma once

#include <cstdint>

namespace kinglet::format {

inline constexpr unsigned char kMagic[8] = {0x89, 'K', 'G', 'L', '\r', '\n', 0x1a, '\n'};
// The newest version that is read. 2: the fields of Attention behind `out`. A file has the lowest version that says all
// that is in it.
inline constexpr uint32_t kVersion = 2;
inline constexpr uint32_t kFirstVersion = 1;
inline constexpr uint64_t kPartAlignment = 64;
inline constexpr uint64_t kChecksumBlock = 1 << 20;

struct FileHeader {
  unsigned char magic[8];
  uint32_t version;          // a reader refuses versions above its own
  uint32_t reserved;         // 0
  uint64_t table_size;       // bytes of the FlatBuffer, which begins at byte 64
  uint64_t weights_offset;   // 64 + table_size, rounded up to 64
  uint64_t weights_size;     // the file ends at weights_offset + weights_size
  uint64_t table_checksum;   // checksum(table)
  uint64_t weights_checksum; // checksum(Model.block_checksums as little-endian bytes)
  uint64_t header_checksum;  // checksum of the 56 bytes before it
};
static_assert(sizeof(FileHeader) == 64);

}  // namespace kinglet::format
