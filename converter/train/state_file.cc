// The bytes of a state.
#include "train/state_file.h"

#include <algorithm>
#include <cstring>
#include <system_error>

#include "base/text.h"
#include "format/checksum.h"
#include "readers/input_file.h"
#include "writer/output_file.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::Json;
using convert::refuse;

namespace {

constexpr char kMagic[] = "KINGTRN1";
constexpr size_t kMagicSize = 8, kHeader = kMagicSize + 16, kMostJson = 64 << 20;

// Writes in order, and sums in pieces of 64 bytes whatever the pieces that come.
class Writer {
 public:
  explicit Writer(const fs::path& path) : file_(path) {}

  void plain(const void* data, size_t size) {
    file_.write(offset_, data, size);
    offset_ += size;
  }
  void summed(const void* data, size_t size) {
    plain(data, size);
    const auto* bytes = static_cast<const char*>(data);
    pending_.append(bytes, size);
    const size_t whole = pending_.size() / 64 * 64;
    sum_.add(pending_.data(), whole);
    pending_.erase(0, whole);
  }
  void finish() {
    sum_.add(pending_.data(), pending_.size());
    const uint64_t sum = sum_.finish();
    plain(&sum, sizeof(sum));
    file_.commit();
  }

 private:
  convert::OutputFile file_;
  format::Checksum sum_;
  std::string pending_;
  uint64_t offset_ = 0;
};

struct Opened {
  std::shared_ptr<const convert::InputFile> file;
  uint64_t json_bytes = 0, number_bytes = 0;
  Json facts;
};

std::optional<Opened> open_state(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) {
    return std::nullopt;
  }
  Opened opened;
  opened.file = convert::open_file(path);
  char header[kHeader] = {};
  if (opened.file->size() >= kHeader) {
    opened.file->read(0, header, kHeader);
  }
  std::memcpy(&opened.json_bytes, header + kMagicSize, 8);
  std::memcpy(&opened.number_bytes, header + kMagicSize + 8, 8);
  if (std::memcmp(header, kMagic, kMagicSize) != 0 || opened.json_bytes > kMostJson ||
      opened.number_bytes > opened.file->size() ||
      opened.file->size() != kHeader + opened.json_bytes + opened.number_bytes + 8) {
    refuse(path.string(), ": is no state of a training run, or damaged; --fresh begins anew");
  }
  std::string text(opened.json_bytes, '\0');
  opened.file->read(kHeader, text.data(), text.size());
  opened.facts = convert::parse_json(text, path.string());
  return opened;
}

Json list_arrays(const std::vector<StateArray>& arrays) {
  Json list = Json::array();
  for (const StateArray& array : arrays) {
    list.push_back(Json::array({array.name, array.size}));
  }
  return list;
}

}  // namespace

void write_state(const fs::path& path, const Json& facts, const std::vector<StateArray>& arrays,
                 const std::function<std::vector<float>(size_t i)>& read) {
  Json all = facts;
  all["arrays"] = list_arrays(arrays);
  const std::string text = all.dump();
  uint64_t numbers = 0;
  for (const StateArray& array : arrays) {
    numbers += array.size * sizeof(float);
  }
  Writer writer(path);
  const uint64_t sizes[] = {text.size(), numbers};
  writer.plain(kMagic, kMagicSize);
  writer.plain(sizes, sizeof(sizes));
  writer.summed(text.data(), text.size());
  for (size_t i = 0; i < arrays.size(); ++i) {
    const std::vector<float> values = read(i);
    if (values.size() != arrays[i].size) {
      refuse(path.string(), ": the array ", convert::quote(arrays[i].name), " changed its size");
    }
    writer.summed(values.data(), values.size() * sizeof(float));
  }
  writer.finish();
}

std::optional<Json> read_state(const fs::path& path, const std::vector<StateArray>& arrays,
                               const std::function<void(size_t i, std::vector<float> numbers)>& write) {
  std::optional<Opened> opened = open_state(path);
  if (!opened) {
    return std::nullopt;
  }
  // All of it, before anything is changed.
  const uint64_t summed = opened->json_bytes + opened->number_bytes;
  format::Checksum sum;
  std::vector<char> chunk(1 << 20);
  for (uint64_t at = 0; at < summed; at += chunk.size()) {
    const size_t size = std::min<uint64_t>(chunk.size(), summed - at);
    opened->file->read(kHeader + at, chunk.data(), size);
    sum.add(chunk.data(), size);
  }
  uint64_t expected = 0;
  opened->file->read(kHeader + summed, &expected, sizeof(expected));
  if (sum.finish() != expected) {
    refuse(path.string(), ": is damaged: its checksum is wrong; --fresh begins anew");
  }
  if (!opened->facts.contains("arrays") || opened->facts["arrays"] != list_arrays(arrays)) {
    refuse(path.string(), ": is the state of another model; --fresh begins anew");
  }
  uint64_t at = kHeader + opened->json_bytes;
  for (size_t i = 0; i < arrays.size(); ++i) {
    std::vector<float> numbers(arrays[i].size);
    opened->file->read(at, numbers.data(), numbers.size() * sizeof(float));
    at += numbers.size() * sizeof(float);
    write(i, std::move(numbers));
  }
  return std::move(opened->facts);
}

std::optional<Json> read_state_facts(const fs::path& path) {
  std::optional<Opened> opened = open_state(path);
  return opened ? std::optional(std::move(opened->facts)) : std::nullopt;
}

}  // namespace kinglet::train
