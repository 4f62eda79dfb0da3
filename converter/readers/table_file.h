// The sorted string table of LevelDB (doc/table_format.md there), as TensorFlow writes the index of a checkpoint:
// blocks of keys and values, each with a checksum, and a block that lists the blocks.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "readers/input_file.h"

namespace kinglet::convert {

// CRC-32C (Castagnoli) of the bytes.
uint32_t crc32c(std::span<const uint8_t> bytes);

// How a table stores a checksum of bytes that may hold checksums themselves.
uint32_t mask_crc32c(uint32_t crc);

// All keys with their values. At most 16 MiB and 100,000 keys of 1,000 bytes; time and memory are linear in that.
// Throws Error when it is no table, is damaged, or is compressed. Without `check_sums` (for fuzzing) wrong checksums
// are no damage.
std::map<std::string, std::string> read_table(const InputFile& file, bool check_sums = true);

}  // namespace kinglet::convert
