// SHA-256 (FIPS 180-4), to name files in reports as sha256sum does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace kinglet::convert {

class Sha256 {
 public:
  void update(const void* data, size_t size);
  // 64 hexadecimal digits of all that was given; nothing may be given afterwards.
  std::string finish();

 private:
  void block(const uint8_t* bytes);

  uint32_t state_[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  uint64_t size_ = 0;
  uint8_t pending_[64] = {};
};

// Of a whole file; "" when it cannot be read.
std::string sha256_of(const std::filesystem::path& path);

}  // namespace kinglet::convert
