// The bundle's entries, held against its data files.
#include "readers/tensorflow.h"

#include <cstdio>
#include <map>

#include "base/text.h"
#include "readers/table_file.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

// The fields of a protobuf message that matter here: numbers and nested bytes, one after the other.
class Message {
 public:
  Message(std::span<const uint8_t> bytes, const std::string& where) : bytes_(bytes), where_(where) {}

  // Moves to the next field; false at the end.
  bool next() {
    if (at_ == bytes_.size()) {
      return false;
    }
    const uint64_t tag = varint();
    field = tag >> 3;
    number = 0;
    bytes = {};
    switch (tag & 7) {
      case 0:
        number = varint();
        return true;
      case 1:
        take(8);
        return true;
      case 2:
        bytes = take(varint());
        return true;
      case 5:
        take(4);
        return true;
      default:
        refuse(where_, ": is not a message of protocol buffers");
    }
  }

  uint64_t field = 0, number = 0;
  std::span<const uint8_t> bytes;

 private:
  std::span<const uint8_t> take(uint64_t count) {
    if (count > bytes_.size() - at_) {
      refuse(where_, ": ends too early");
    }
    at_ += count;
    return bytes_.subspan(at_ - count, count);
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = take(1)[0];
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        return value;
      }
    }
    refuse(where_, ": has a number of more than 64 bits");
  }

  std::span<const uint8_t> bytes_;
  const std::string& where_;
  size_t at_ = 0;
};

std::span<const uint8_t> span_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// BundleEntryProto.
struct Entry {
  uint64_t type = 0, shard = 0, offset = 0, size = 0;
  bool sliced = false;
  std::vector<uint64_t> shape;
};

std::vector<uint64_t> read_shape(std::span<const uint8_t> bytes, const std::string& where) {
  std::vector<uint64_t> shape;
  for (Message message(bytes, where); message.next();) {
    if (message.field != 2) {
      continue;
    }
    uint64_t size = 0;
    for (Message dimension(message.bytes, where); dimension.next();) {
      size = dimension.field == 1 ? dimension.number : size;
    }
    shape.push_back(size);
  }
  return shape;
}

Entry read_entry(const std::string& value, const std::string& where) {
  Entry entry;
  for (Message message(span_of(value), where); message.next();) {
    switch (message.field) {
      case 1:
        entry.type = message.number;
        break;
      case 2:
        entry.shape = read_shape(message.bytes, where);
        break;
      case 3:
        entry.shard = message.number;
        break;
      case 4:
        entry.offset = message.number;
        break;
      case 5:
        entry.size = message.number;
        break;
      case 7:
        entry.sliced = true;
        break;
      default:
        break;
    }
  }
  return entry;
}

// By the number in types.proto.
ElementType element_type(uint64_t type) {
  switch (type) {
    case 1:
      return ElementType::f32;
    case 2:
      return ElementType::f64;
    case 14:
      return ElementType::bf16;
    case 19:
      return ElementType::f16;
    default:
      return ElementType::other;
  }
}

class BundleReader {
 public:
  BundleReader(const std::map<std::string, std::string>& table, const std::string& name, const OpenShard& open)
      : table_(table), name_(name), open_(open) {}

  std::vector<StoredTensor> read() {
    const auto header = table_.find("");
    if (header == table_.end()) {
      refuse(name_, ": has no header, expected the index of a TensorFlow checkpoint");
    }
    read_header(header->second);
    bool albert = false;
    for (const auto& [name, value] : table_) {
      albert |= name.find("inner_group_") != std::string::npos;
    }
    std::vector<StoredTensor> tensors;
    for (const auto& [name, value] : table_) {
      bool transposed = false;
      const std::string renamed = name.empty() ? "" : transformers_name(name, albert, &transposed);
      if (!renamed.empty()) {
        tensors.push_back(place(name, renamed, transposed, read_entry(value, name_ + ": " + quote(name))));
      }
    }
    return tensors;
  }

 private:
  void read_header(const std::string& value) {
    const std::string where = name_ + ": its header";
    for (Message message(span_of(value), where); message.next();) {
      shards_ = message.field == 1 ? message.number : shards_;
      if (message.field == 2 && message.number != 0) {
        refuse(name_, ": is big-endian, expected little-endian numbers");
      }
    }
    if (shards_ < 1 || shards_ > 99999) {
      refuse(name_, ": has ", shards_, " data files, expected 1 to 99999");
    }
  }

  const std::shared_ptr<const InputFile>& shard(uint64_t number, const std::string& name) {
    if (number >= shards_) {
      refuse(name_, ": the tensor ", quote(name), " is in data file ", number, " of ", shards_);
    }
    auto& file = opened_[number];
    if (file == nullptr) {
      file = open_(number, shards_);
    }
    return file;
  }

  StoredTensor place(const std::string& name, const std::string& renamed, bool transposed, const Entry& entry) {
    StoredTensor tensor;
    tensor.name = renamed;
    tensor.type = element_type(entry.type);
    tensor.type_name = "DataType " + std::to_string(entry.type);
    tensor.shape = entry.shape;
    tensor.file = shard(entry.shard, name);
    tensor.offset = entry.offset;
    uint64_t count = std::max<uint64_t>(element_size(tensor.type), 1);
    bool overflow = false;
    for (const uint64_t dimension : entry.shape) {
      overflow |= __builtin_mul_overflow(count, dimension, &count);
    }
    if (entry.sliced) {
      refuse(name_, ": the tensor ", quote(name), " is stored in slices, which are not read");
    }
    if (overflow || (tensor.type != ElementType::other && count != entry.size) || entry.offset > tensor.file->size() ||
        entry.size > tensor.file->size() - entry.offset) {
      refuse(name_, ": the tensor ", quote(name), " of shape ", shape_text(entry.shape), " takes ", entry.size,
             " bytes from ", entry.offset, " on, which does not fit its type and the ", tensor.file->size(),
             " bytes of ", tensor.file->name());
    }
    if (transposed && entry.shape.size() == 2 && entry.size > 0) {
      tensor.shape = {entry.shape[1], entry.shape[0]};
      tensor.strides = {1, entry.shape[1]};
    }
    return tensor;
  }

  const std::map<std::string, std::string>& table_;
  const std::string& name_;
  const OpenShard& open_;
  uint64_t shards_ = 1;
  std::map<uint64_t, std::shared_ptr<const InputFile>> opened_;
};

}  // namespace

std::vector<StoredTensor> read_bundle(const std::map<std::string, std::string>& entries, const std::string& name,
                                      const OpenShard& open) {
  return BundleReader(entries, name, open).read();
}

std::vector<StoredTensor> read_tensorflow(const fs::path& index, std::vector<fs::path>* files) {
  files->push_back(index);
  return read_bundle(read_table(*open_file(index)), index.string(), [&](uint64_t shard, uint64_t count) {
    char end[40];
    std::snprintf(end, sizeof(end), ".data-%05u-of-%05u", static_cast<unsigned>(shard), static_cast<unsigned>(count));
    fs::path path = index;
    path.replace_extension();
    path += end;
    files->push_back(path);
    return open_file(path);
  });
}

}  // namespace kinglet::convert
