// PyTorch's checkpoints: the pickle's tensors held against the storages of an archive, or those behind the pickles.
#include "readers/pytorch.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

#include "base/text.h"
#include "readers/pickle.h"
#include "readers/zip.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kMaxPickle = 64 << 20;
constexpr uint64_t kFirstPart = 128 << 10;  // of a file without an archive
constexpr uint8_t kPickleMark = 0x80;

struct StorageType {
  std::string_view name;
  size_t size;
  ElementType type;
};

constexpr StorageType kStorageTypes[] = {
    {"FloatStorage", 4, ElementType::f32},     {"HalfStorage", 2, ElementType::f16},
    {"BFloat16Storage", 2, ElementType::bf16}, {"DoubleStorage", 8, ElementType::f64},
    {"LongStorage", 8, ElementType::other},    {"IntStorage", 4, ElementType::other},
    {"ShortStorage", 2, ElementType::other},   {"CharStorage", 1, ElementType::other},
    {"ByteStorage", 1, ElementType::other},    {"BoolStorage", 1, ElementType::other},
};

class CheckpointReader {
 public:
  explicit CheckpointReader(const std::shared_ptr<const InputFile>& file) : file_(file) {}

  std::vector<StoredTensor> read() {
    uint8_t first = 0;
    if (file_->size() > 0) {
      file_->read(0, &first, 1);
    }
    std::vector<StoredTensor> tensors;
    for (const PickledTensor& tensor : first == kPickleMark ? open_legacy() : open_archive()) {
      tensors.push_back(place_tensor(tensor));
    }
    return tensors;
  }

 private:
  struct Place {
    uint64_t offset, size;  // in bytes
  };

  std::vector<PickledTensor> open_archive() {
    entries_ = read_zip(*file_);
    top_ = find_top();
    check_byte_order();
    const std::string data = top_ + "data/";
    for (const auto& [name, entry] : entries_) {
      if (name.starts_with(data)) {
        storages_[name.substr(data.size())] = {entry.offset, entry.size};
      }
    }
    const ZipEntry& pickle = entries_.at(top_ + "data.pkl");
    if (pickle.size > kMaxPickle) {
      refuse(file_->name(), ": data.pkl takes ", pickle.size, " bytes, at most ", kMaxPickle, " are expected");
    }
    std::vector<uint8_t> bytes(pickle.size);
    file_->read(pickle.offset, bytes.data(), bytes.size());
    return read_pickle(bytes, file_->name() + " (data.pkl)");
  }

  // The pickles' size is nowhere written: they are read from the file's beginning, and from a larger part of it where
  // that ends too early.
  std::vector<PickledTensor> open_legacy() {
    LegacyPickles legacy;
    for (uint64_t size = kFirstPart;; size *= 8) {
      std::vector<uint8_t> bytes(std::min(size, file_->size()));
      file_->read(0, bytes.data(), bytes.size());
      try {
        legacy = read_legacy_pickles(bytes, file_->name());
        break;
      } catch (const Error&) {
        if (size >= file_->size() || size >= kMaxPickle) {
          throw;
        }
      }
    }
    uint64_t at = legacy.end;
    for (const PickledStorage& storage : legacy.storages) {
      at = place_storage(storage, at);
    }
    return std::move(legacy.tensors);
  }

  // A count of elements and then the elements. Returns where they end.
  uint64_t place_storage(const PickledStorage& storage, uint64_t at) {
    const uint64_t size = find_type(storage.type, storage.key).size;
    uint8_t raw[8] = {};
    if (file_->size() - at < sizeof(raw)) {
      refuse(file_->name(), ": ends before the storage ", quote(storage.key));
    }
    file_->read(at, raw, sizeof(raw));
    uint64_t count = 0;
    std::memcpy(&count, raw, sizeof(count));
    at += sizeof(raw);
    if (count != storage.elements || count > (file_->size() - at) / size) {
      refuse(file_->name(), ": the storage ", quote(storage.key), " should have ", storage.elements, " elements of ",
             size, " bytes, but the file says ", count, " and has ", file_->size() - at, " bytes left");
    }
    if (!storages_.emplace(storage.key, Place{at, count * size}).second) {
      refuse(file_->name(), ": has the storage ", quote(storage.key), " twice");
    }
    return at + count * size;
  }

  // The folder inside the archive: "archive/", "pytorch_model/", …
  std::string find_top() {
    constexpr std::string_view kPickle = "data.pkl";
    for (const auto& [name, entry] : entries_) {
      const size_t slash = name.find('/');
      if (slash != std::string::npos && std::string_view(name).substr(slash + 1) == kPickle) {
        return name.substr(0, slash + 1);
      }
    }
    refuse(file_->name(), ": has no entry data.pkl: this zip archive is not a PyTorch checkpoint");
  }

  void check_byte_order() {
    const auto found = entries_.find(top_ + "byteorder");
    if (found == entries_.end()) {
      return;
    }
    std::string order(std::min<uint64_t>(found->second.size, 16), '\0');
    file_->read(found->second.offset, order.data(), order.size());
    if (order != "little") {
      refuse(file_->name(), ": its byte order is ", quote(order), ", expected \"little\"");
    }
  }

  StoredTensor place_tensor(const PickledTensor& pickled) {
    StoredTensor tensor;
    tensor.name = pickled.name;
    tensor.type_name = pickled.storage_type;
    tensor.shape = pickled.shape;
    tensor.file = file_;
    const StorageType& type = find_type(pickled.storage_type, pickled.storage_key);
    tensor.type = type.type;

    const auto entry = storages_.find(pickled.storage_key);
    if (entry == storages_.end()) {
      refuse_tensor(pickled, "its storage ", quote(pickled.storage_key), " is not in the file");
    }
    if (pickled.storage_elements > entry->second.size / type.size ||
        pickled.storage_elements * type.size != entry->second.size) {
      refuse_tensor(pickled, "its storage should have ", pickled.storage_elements, " elements of ", type.size,
                    " bytes, but ", quote(entry->first), " has ", entry->second.size, " bytes");
    }
    check_bounds(pickled);
    tensor.offset = entry->second.offset + pickled.storage_offset * type.size;
    if (!is_contiguous(pickled)) {
      tensor.strides = pickled.strides;
    }
    return tensor;
  }

  const StorageType& find_type(const std::string& name, const std::string& key) {
    for (const StorageType& type : kStorageTypes) {
      if (type.name == name) {
        return type;
      }
    }
    refuse(file_->name(), ": the storage ", quote(key), " is of the unknown type ", quote(name));
  }

  // The last element lies in the storage, and there are no more elements than the storage has (no broadcasting).
  void check_bounds(const PickledTensor& pickled) {
    if (pickled.shape.size() != pickled.strides.size() || pickled.shape.size() > 16) {
      refuse_tensor(pickled, "it has ", pickled.shape.size(), " dimensions and ", pickled.strides.size(), " strides");
    }
    uint64_t count = 1, last = pickled.storage_offset;
    bool overflow = false;
    for (size_t d = 0; d < pickled.shape.size(); ++d) {
      uint64_t reach = 0;
      overflow |= __builtin_mul_overflow(count, pickled.shape[d], &count);
      if (pickled.shape[d] > 0) {
        overflow |= __builtin_mul_overflow(pickled.shape[d] - 1, pickled.strides[d], &reach);
      }
      overflow |= __builtin_add_overflow(last, reach, &last);
    }
    const bool empty = std::find(pickled.shape.begin(), pickled.shape.end(), 0) != pickled.shape.end();
    if (overflow || (!empty && (last >= pickled.storage_elements || count > pickled.storage_elements)) ||
        pickled.storage_offset > pickled.storage_elements) {
      refuse_tensor(pickled, "its shape ", shape_text(pickled.shape), " with strides ", shape_text(pickled.strides),
                    " from element ", pickled.storage_offset, " on does not fit into its storage of ",
                    pickled.storage_elements, " elements");
    }
  }

  static bool is_contiguous(const PickledTensor& pickled) {
    uint64_t expected = 1;
    for (size_t d = pickled.shape.size(); d-- > 0;) {
      if (pickled.shape[d] == 0) {
        return true;
      }
      if (pickled.shape[d] != 1 && pickled.strides[d] != expected) {
        return false;
      }
      expected *= pickled.shape[d];
    }
    return true;
  }

  template <typename... Parts>
  [[noreturn]] void refuse_tensor(const PickledTensor& tensor, const Parts&... parts) {
    refuse(file_->name(), ": the tensor ", quote(tensor.name), ": ", parts...);
  }

  std::shared_ptr<const InputFile> file_;
  std::map<std::string, Place> storages_;    // by key
  std::map<std::string, ZipEntry> entries_;  // of an archive
  std::string top_;
};

}  // namespace

std::vector<StoredTensor> read_pytorch(const std::shared_ptr<const InputFile>& file) {
  return CheckpointReader(file).read();
}

}  // namespace kinglet::convert
