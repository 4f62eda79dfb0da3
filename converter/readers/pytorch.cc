// PyTorch's zip checkpoints: the pickle's tensors held against the archive's storages.
#include "readers/pytorch.h"

#include <algorithm>
#include <map>
#include <string>
#include <string_view>

#include "base/text.h"
#include "readers/pickle.h"
#include "readers/zip.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kMaxPickle = 64 << 20;

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
    check_magic();
    entries_ = read_zip(*file_);
    top_ = find_top();
    check_byte_order();
    const ZipEntry& pickle = entries_.at(top_ + "data.pkl");
    if (pickle.size > kMaxPickle) {
      refuse(file_->name(), ": data.pkl takes ", pickle.size, " bytes, at most ", kMaxPickle, " are expected");
    }
    std::vector<uint8_t> bytes(pickle.size);
    file_->read(pickle.offset, bytes.data(), bytes.size());
    std::vector<StoredTensor> tensors;
    for (const PickledTensor& tensor : read_pickle(bytes, file_->name() + " (data.pkl)")) {
      tensors.push_back(place_tensor(tensor));
    }
    return tensors;
  }

 private:
  void check_magic() {
    uint8_t magic[2] = {0, 0};
    if (file_->size() >= 2) {
      file_->read(0, magic, 2);
    }
    if (magic[0] == 0x80) {
      refuse(file_->name(), ": is in the format that PyTorch wrote before 1.6, expected a zip archive: load it and",
             " save it again with torch.save, or as safetensors");
    }
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
    const StorageType& type = find_type(pickled);
    tensor.type = type.type;

    const auto entry = entries_.find(top_ + "data/" + pickled.storage_key);
    if (entry == entries_.end()) {
      refuse_tensor(pickled, "its storage ", quote(pickled.storage_key), " is not in the archive");
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

  const StorageType& find_type(const PickledTensor& pickled) {
    for (const StorageType& type : kStorageTypes) {
      if (type.name == pickled.storage_type) {
        return type;
      }
    }
    refuse_tensor(pickled, "its storage is of the unknown type ", quote(pickled.storage_type));
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
  std::map<std::string, ZipEntry> entries_;
  std::string top_;
};

}  // namespace

std::vector<StoredTensor> read_pytorch(const std::shared_ptr<const InputFile>& file) {
  return CheckpointReader(file).read();
}

}  // namespace kinglet::convert
