// The safetensors format, held against the rules of its README ("Format" and "Benefits": no overlap, no holes).
#include "readers/safetensors.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/json_file.h"
#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the format's own limit
constexpr size_t kMaxDimensions = 16;

struct DType {
  std::string_view name;
  uint32_t bits;
  ElementType type;
};

constexpr DType kDTypes[] = {
    {"F64", 64, ElementType::f64},      {"F32", 32, ElementType::f32},      {"F16", 16, ElementType::f16},
    {"BF16", 16, ElementType::bf16},    {"BOOL", 8, ElementType::other},    {"U8", 8, ElementType::other},
    {"I8", 8, ElementType::other},      {"U16", 16, ElementType::other},    {"I16", 16, ElementType::other},
    {"U32", 32, ElementType::other},    {"I32", 32, ElementType::other},    {"U64", 64, ElementType::other},
    {"I64", 64, ElementType::other},    {"C64", 64, ElementType::other},    {"F4", 4, ElementType::other},
    {"F6_E2M3", 6, ElementType::other}, {"F6_E3M2", 6, ElementType::other}, {"F8_E4M3", 8, ElementType::other},
    {"F8_E5M2", 8, ElementType::other}, {"F8_E8M0", 8, ElementType::other},
};

struct Range {
  uint64_t begin, end;
};

class HeaderReader {
 public:
  explicit HeaderReader(const std::shared_ptr<const InputFile>& file) : file_(file) {}

  std::vector<StoredTensor> read() {
    const Json header = read_header();
    std::vector<StoredTensor> tensors;
    std::vector<std::pair<Range, size_t>> ranges;
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        continue;
      }
      Range range;
      tensors.push_back(read_entry(name, entry, &range));
      ranges.push_back({range, tensors.size() - 1});
    }
    check_coverage(ranges, tensors);
    return tensors;
  }

 private:
  Json read_header() {
    if (file_->size() < 8) {
      refuse(file_->name(), ": ", file_->size(), " bytes is too short for a safetensors file");
    }
    uint8_t length_bytes[8];
    file_->read(0, length_bytes, 8);
    uint64_t length = 0;
    for (size_t i = 8; i-- > 0;) {
      length = length << 8 | length_bytes[i];
    }
    if (length > kMaxHeader) {
      refuse(file_->name(), ": its header says it is ", length, " bytes long, at most ", kMaxHeader, " are allowed",
             " (is this a safetensors file?)");
    }
    if (length > file_->size() - 8) {
      refuse(file_->name(), ": its header says it is ", length, " bytes long, but only ", file_->size() - 8,
             " bytes follow: the file is truncated or is not safetensors");
    }
    data_begin_ = 8 + length;
    data_size_ = file_->size() - data_begin_;
    std::string text(length, '\0');
    file_->read(8, text.data(), text.size());
    if (text.empty() || text[0] != '{') {
      refuse(file_->name(), ": its header does not begin with '{': this is not a safetensors file");
    }
    return parse_json(text, file_->name() + " (header)");
  }

  StoredTensor read_entry(const std::string& name, const Json& entry, Range* range) {
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets")) {
      refuse_tensor(name, "its header entry lacks dtype, shape or data_offsets");
    }
    StoredTensor tensor;
    tensor.name = name;
    tensor.file = file_;
    const DType& dtype = find_dtype(name, entry.at("dtype"));
    tensor.type = dtype.type;
    tensor.type_name = std::string(dtype.name);
    const uint64_t bytes = byte_count(name, entry.at("shape"), dtype.bits, &tensor.shape);

    const Json& offsets = entry.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      refuse_tensor(name, "its data_offsets are not two whole numbers");
    }
    *range = {offsets[0].get<uint64_t>(), offsets[1].get<uint64_t>()};
    if (range->begin > range->end) {
      refuse_tensor(name, "its data_offsets [", range->begin, ", ", range->end, "] end before they begin");
    }
    if (range->end > data_size_) {
      refuse_tensor(name, "its data_offsets [", range->begin, ", ", range->end, "] lie beyond the ", data_size_,
                    " bytes of data that the file has");
    }
    if (range->end - range->begin != bytes) {
      refuse_tensor(name, "its data_offsets span ", range->end - range->begin, " bytes, but ", dtype.name, " ",
                    shape_text(tensor.shape), " takes ", bytes);
    }
    tensor.offset = data_begin_ + range->begin;
    return tensor;
  }

  const DType& find_dtype(const std::string& name, const Json& value) {
    if (value.is_string()) {
      for (const DType& dtype : kDTypes) {
        if (dtype.name == value.get_ref<const std::string&>()) {
          return dtype;
        }
      }
    }
    refuse_tensor(name, "its dtype ", value.is_string() ? quote(value.get<std::string>()) : "is not a string and",
                  " is not one that safetensors defines");
  }

  uint64_t byte_count(const std::string& name, const Json& value, uint32_t bits, std::vector<uint64_t>* shape) {
    if (!value.is_array() || value.size() > kMaxDimensions) {
      refuse_tensor(name, "its shape is not a list of at most ", kMaxDimensions, " numbers");
    }
    uint64_t total = bits;
    for (const Json& dimension : value) {
      if (!dimension.is_number_unsigned()) {
        refuse_tensor(name, "its shape holds something that is not a whole number");
      }
      shape->push_back(dimension.get<uint64_t>());
      if (__builtin_mul_overflow(total, shape->back(), &total)) {
        refuse_tensor(name, "its shape ", shape_text(*shape), " overflows");
      }
    }
    if (total % 8 != 0) {
      refuse_tensor(name, "its size is not a whole number of bytes");
    }
    return total / 8;
  }

  void check_coverage(std::vector<std::pair<Range, size_t>>& ranges, const std::vector<StoredTensor>& tensors) {
    std::sort(ranges.begin(), ranges.end(), [](const auto& a, const auto& b) {
      return std::pair(a.first.begin, a.first.end) < std::pair(b.first.begin, b.first.end);
    });
    uint64_t end = 0;
    for (const auto& [range, index] : ranges) {
      if (range.begin != end) {
        refuse_tensor(tensors[index].name, "its data begin at ", range.begin,
                      range.begin < end ? " and overlap another tensor's, which end at "
                                        : " and leave a hole after the one before, which ends at ",
                      end);
      }
      end = range.end;
    }
    if (end != data_size_) {
      refuse(file_->name(), ": its tensors end at byte ", end, " of the data, but the file has ", data_size_);
    }
  }

  template <typename... Parts>
  [[noreturn]] void refuse_tensor(const std::string& name, const Parts&... parts) {
    refuse(file_->name(), ": the tensor ", quote(name), ": ", parts...);
  }

  std::shared_ptr<const InputFile> file_;
  uint64_t data_begin_ = 0;
  uint64_t data_size_ = 0;
};

}  // namespace

std::vector<StoredTensor> read_safetensors(const std::shared_ptr<const InputFile>& file) {
  return HeaderReader(file).read();
}

}  // namespace kinglet::convert
