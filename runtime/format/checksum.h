// The checksum of a .kgl file's parts: eight 64-bit multiply-with-carry lanes over 64-byte stripes, which compilers
// turn into SIMD on every target. It finds damage, not forgery. README.md in this folder defines it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kinglet::format {

// The checksum of `size` bytes at any alignment. The weights section is summed block by block (kChecksumBlock bytes,
// the last one shorter). Pure.
uint64_t checksum(const void* data, size_t size);

// The same for bytes that come in pieces. Not thread-safe.
class Checksum {
 public:
  // The next bytes; `size` must be a multiple of 64 in every call but the last.
  void add(const void* data, size_t size);
  // The checksum of all bytes added since the object was made.
  uint64_t finish() const;

 private:
  static constexpr size_t kLanes = 8;
  uint64_t size_ = 0;
  // The first 64 bits of the fraction of √2, √3, √5, …
  uint64_t lanes_[kLanes] = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                             0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};
};

}  // namespace kinglet::format
