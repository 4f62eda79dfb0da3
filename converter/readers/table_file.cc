// Footer, index block, data blocks.
#include "readers/table_file.h"

#include <array>
#include <cstring>
#include <optional>
#include <vector>

#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kMagic = 0xdb4775248b80fb57;
constexpr uint64_t kFooter = 48, kTrailer = 5;  // bytes of the footer, and behind each block: type and checksum
constexpr uint64_t kMaxFile = 16 << 20;
constexpr size_t kMaxKeys = 100'000, kMaxKey = 1000;

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table = {};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0u);
    }
    table[i] = crc;
  }
  return table;
}

constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

template <typename T>
T load(const uint8_t* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

class TableReader {
 public:
  TableReader(const InputFile& file, bool check_sums) : file_(file), check_sums_(check_sums) {}

  std::map<std::string, std::string> read() {
    if (file_.size() < kFooter || file_.size() > kMaxFile) {
      refuse_table("has ", file_.size(), " bytes, expected ", kFooter, " to ", kMaxFile);
    }
    bytes_.resize(file_.size());
    file_.read(0, bytes_.data(), bytes_.size());
    const std::span<const uint8_t> footer(bytes_.data() + bytes_.size() - kFooter, kFooter);
    if (load<uint64_t>(footer.data() + kFooter - 8) != kMagic) {
      refuse_table("does not end like the index of a TensorFlow checkpoint");
    }
    size_t at = 0;
    block(read_handle(footer, &at));  // the metaindex: whole, or the file is damaged, but it has nothing to say
    const Handle index = read_handle(footer, &at);
    std::map<std::string, std::string> entries;
    for_each_entry(block(index), [&](const std::string&, std::span<const uint8_t> value) {
      size_t place = 0;
      const Handle data = read_handle(value, &place);
      if (data.offset < end_) {
        refuse_table("has blocks that overlap or are not in order");
      }
      for_each_entry(block(data), [&](const std::string& key, std::span<const uint8_t> content) {
        if (entries.size() == kMaxKeys) {
          refuse_table("has more than ", kMaxKeys, " keys");
        }
        if (!entries.emplace(key, std::string(content.begin(), content.end())).second) {
          refuse_table("has the key ", quote(key), " twice");
        }
      });
      end_ = data.offset + data.size + kTrailer;
    });
    return entries;
  }

 private:
  struct Handle {
    uint64_t offset, size;
  };

  uint64_t varint(std::span<const uint8_t> bytes, size_t* at) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (*at == bytes.size()) {
        refuse_table("ends within a number");
      }
      const uint8_t byte = bytes[(*at)++];
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        return value;
      }
    }
    refuse_table("has a number of more than 64 bits");
  }

  Handle read_handle(std::span<const uint8_t> bytes, size_t* at) {
    const uint64_t offset = varint(bytes, at);
    return {offset, varint(bytes, at)};
  }

  // A block's contents, checked.
  std::span<const uint8_t> block(Handle handle) {
    const uint64_t limit = bytes_.size() - kFooter;
    if (handle.offset > limit || handle.size > limit - handle.offset ||
        limit - handle.offset - handle.size < kTrailer) {
      refuse_table("has a block at ", handle.offset, " of ", handle.size, " bytes, beyond its end");
    }
    const uint8_t* begin = bytes_.data() + handle.offset;
    const uint32_t stored = load<uint32_t>(begin + handle.size + 1);
    if (check_sums_ && mask_crc32c(crc32c({begin, handle.size + 1})) != stored) {
      refuse_table("has a block at ", handle.offset, " whose checksum is wrong: the file is damaged");
    }
    if (begin[handle.size] != 0) {
      refuse_table("is compressed, which is not read");
    }
    return {begin, handle.size};
  }

  // Entries are: how much of the last key to keep, the length of the rest, the length of the value, the rest, the
  // value. Behind them are offsets of entries with whole keys, and their number.
  template <typename Visit>
  void for_each_entry(std::span<const uint8_t> block, Visit visit) {
    if (block.size() < 4 || load<uint32_t>(block.data() + block.size() - 4) > (block.size() - 4) / 4) {
      refuse_table("has a block that is too short");
    }
    const uint32_t restarts = load<uint32_t>(block.data() + block.size() - 4);
    const std::span<const uint8_t> entries = block.first(block.size() - 4 - restarts * size_t{4});
    std::string key;
    for (size_t at = 0; at < entries.size();) {
      const uint64_t shared = varint(entries, &at), rest = varint(entries, &at), size = varint(entries, &at);
      if (shared > key.size() || rest > entries.size() - at || size > entries.size() - at - rest ||
          shared + rest > kMaxKey) {
        refuse_table("has a key of ", shared, " and ", rest, " bytes and a value of ", size, " that do not fit");
      }
      key.resize(shared);
      key.append(reinterpret_cast<const char*>(entries.data() + at), rest);
      at += rest;
      visit(key, entries.subspan(at, size));
      at += size;
    }
  }

  template <typename... Parts>
  [[noreturn]] void refuse_table(const Parts&... parts) {
    refuse(file_.name(), ": ", parts...);
  }

  const InputFile& file_;
  bool check_sums_;
  std::vector<uint8_t> bytes_;
  uint64_t end_ = 0;  // of the last data block
};

}  // namespace

uint32_t crc32c(std::span<const uint8_t> bytes) {
  uint32_t crc = ~0u;
  for (const uint8_t byte : bytes) {
    crc = crc >> 8 ^ kCrcTable[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

uint32_t mask_crc32c(uint32_t crc) {
  return (crc >> 15 | crc << 17) + 0xa282ead8;
}

std::map<std::string, std::string> read_table(const InputFile& file, bool check_sums) {
  return TableReader(file, check_sums).read();
}

}  // namespace kinglet::convert
