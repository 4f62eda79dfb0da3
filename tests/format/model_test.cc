// Opening good models by every road, and reading their tensors.
#include "model/model.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "format/example.h"
#include "support/temporary.h"

namespace {

using namespace kinglet;
using namespace kinglet::test;

std::string write_file(const TemporaryFolder& folder, const Bytes& bytes, size_t before = 0, size_t after = 0) {
  const std::string path = folder / "model.kgl";
  std::ofstream stream(path, std::ios::binary);
  stream << std::string(before, 'b');
  stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  stream << std::string(after, 'a');
  return path;
}

// Every tensor must be what the spec says, in place and read.
void check_contents(const Model& model, const ModelSpec& spec) {
  REQUIRE(model.table().tensors()->size() == spec.tensors.size());
  for (uint32_t id = 0; id < spec.tensors.size(); ++id) {
    const Bytes& expected = spec.tensors[id].bytes;
    uint64_t bytes = 0;
    REQUIRE(tensor_bytes(*model.table().tensors()->Get(id), &bytes));
    REQUIRE(bytes == expected.size());
    CHECK(reinterpret_cast<uintptr_t>(model.tensor(id)) % 4 == 0);
    CHECK(std::memcmp(model.tensor(id), expected.data(), expected.size()) == 0);
    Bytes part(expected.size() / 2);
    Error error;
    REQUIRE(model.read_tensor(id, expected.size() - part.size(), part.data(), part.size(), error) == KINGLET_OK);
    CHECK(std::memcmp(part.data(), expected.data() + expected.size() - part.size(), part.size()) == 0);
  }
}

}  // namespace

TEST_CASE("by path") {
  const TemporaryFolder folder;
  const ModelSpec spec = example();
  const Bytes file = build_model(spec);
  Model model;
  Error error;
  REQUIRE_MESSAGE(model.open_path(write_file(folder, file).c_str(), error) == KINGLET_OK, error.message);
  CHECK(model.file_size() == file.size());
  CHECK_FALSE(model.has_tokenizer());
  CHECK(model.table().architecture()->str() == "bert");
  check_contents(model, spec);
}

TEST_CASE("by descriptor, at every alignment that is a multiple of 4, inside a larger file") {
  const TemporaryFolder folder;
  const ModelSpec spec = example();
  const Bytes file = build_model(spec);
  for (const size_t before : {0u, 4u, 8u, 12u, 60u, 4096u, 5000u, 8188u}) {
    CAPTURE(before);
    const int fd = ::open(write_file(folder, file, before, 300).c_str(), O_RDONLY);
    Model model;
    Error error;
    const kinglet_status status = model.open_fd(fd, before, file.size(), error);
    ::close(fd);
    REQUIRE_MESSAGE(status == KINGLET_OK, error.message);
    check_contents(model, spec);
  }
}

TEST_CASE("by descriptor, to the end of the file") {
  const TemporaryFolder folder;
  const ModelSpec spec = example();
  const int fd = ::open(write_file(folder, build_model(spec), 100).c_str(), O_RDONLY);
  Model model;
  Error error;
  CHECK_MESSAGE(model.open_fd(fd, 100, 0, error) == KINGLET_OK, error.message);
  ::close(fd);
  check_contents(model, spec);
}

TEST_CASE("from memory, at every alignment that is a multiple of 4") {
  const ModelSpec spec = example(false);
  const Bytes file = build_model(spec);
  std::vector<uint64_t> memory(file.size() / 8 + 10);
  for (size_t shift = 0; shift < 64; shift += 4) {
    uint8_t* at = reinterpret_cast<uint8_t*>(memory.data()) + shift;
    std::memcpy(at, file.data(), file.size());
    Model model;
    Error error;
    REQUIRE_MESSAGE(model.open_memory(at, file.size(), error) == KINGLET_OK, error.message);
    check_contents(model, spec);
  }
}

TEST_CASE("the tokenizer opens with the model, and what it refuses is refused") {
  ModelSpec spec = example();
  spec.tokenizer = smallest_tokenizer;
  Bytes file = build_model(spec);
  Model model;
  Error error;
  REQUIRE_MESSAGE(model.open_memory(file.data(), file.size(), error) == KINGLET_OK, error.message);
  CHECK(model.has_tokenizer());
  CHECK(model.tokenizer().token(0) == "[UNK]");
  // The token's length, in the pool.
  const std::string pool = "\x06[UNK]";
  const auto at = std::search(file.begin(), file.end(), pool.begin(), pool.end());
  REQUIRE(at != file.end());
  *at = 7;
  seal_model(file);
  check_refused(file, KINGLET_BAD_MODEL, " bytes): tokenizer.pool");
}

TEST_CASE("a moved model keeps working, and a model may be opened again") {
  const ModelSpec spec = example();
  const Bytes file = build_model(spec);
  Error error;
  Model a;
  REQUIRE(a.open_memory(file.data(), file.size(), error) == KINGLET_OK);
  Model b(std::move(a));
  check_contents(b, spec);
  CHECK(b.open_path("/nothing/at/all.kgl", error) == KINGLET_IO_ERROR);
  REQUIRE(b.open_memory(file.data(), file.size(), error) == KINGLET_OK);
  check_contents(b, spec);
}

TEST_CASE("messages begin with where the model came from") {
  const TemporaryFolder folder;
  Model model;
  Error error;
  CHECK(model.open_path(folder.path().c_str(), error) == KINGLET_IO_ERROR);
  CHECK(std::string(error.message) == folder.path().string() + ": is a directory; expected a .kgl file");
  const int fd = ::open(write_file(folder, Bytes(100, 'x')).c_str(), O_RDONLY);
  CHECK(model.open_fd(fd, 4, 0, error) == KINGLET_BAD_MODEL);
  const std::string place = std::string("descriptor ").append(std::to_string(fd)).append(" at byte 4: ");
  CHECK(std::string(error.message).find(place + "is not a .kgl file") == 0);
  ::close(fd);
  alignas(4) const char text[100] = "";
  CHECK(model.open_memory(text, 100, error) == KINGLET_BAD_MODEL);
  CHECK(std::string(error.message).find("model in memory (100 bytes): is not a .kgl file") == 0);
  CHECK(model.open_path(nullptr, error) == KINGLET_INVALID_ARGUMENT);
}

TEST_CASE("a very long path keeps its end and the message") {
  Model model;
  Error error;
  const std::string path = "/" + std::string(3000, 'x') + "/model.kgl";
  CHECK(model.open_path(path.c_str(), error) == KINGLET_IO_ERROR);
  const std::string message = error.message;
  CHECK(message.find("xxx/model.kgl: cannot open: ") != std::string::npos);
  CHECK(message.find("; expected a readable .kgl file") != std::string::npos);
}

TEST_CASE("reading beyond a tensor is refused") {
  const Bytes file = build_model(example());
  Model model;
  Error error;
  REQUIRE(model.open_memory(file.data(), file.size(), error) == KINGLET_OK);
  uint8_t bytes[8];
  CHECK(model.read_tensor(0, 40 * 36 - 7, bytes, 8, error) == KINGLET_INVALID_ARGUMENT);
  CHECK(model.read_tensor(0, ~uint64_t{0}, bytes, 8, error) == KINGLET_INVALID_ARGUMENT);
}

TEST_CASE("tensor_bytes knows every layout") {
  flatbuffers::FlatBufferBuilder builder;
  const auto bytes_of = [&](fmt::DType dtype, fmt::Layout layout, std::vector<uint32_t> shape) -> int64_t {
    builder.Clear();
    builder.Finish(fmt::CreateTensor(builder, builder.CreateString("x"), dtype, layout, builder.CreateVector(shape)));
    uint64_t bytes = 0;
    const bool valid = tensor_bytes(*flatbuffers::GetRoot<fmt::Tensor>(builder.GetBufferPointer()), &bytes);
    return valid ? static_cast<int64_t>(bytes) : -1;
  };
  using fmt::DType;
  using fmt::Layout;
  CHECK(bytes_of(DType::f32, Layout::rows, {3, 5}) == 60);
  CHECK(bytes_of(DType::s32, Layout::rows, {7}) == 28);
  CHECK(bytes_of(DType::s8, Layout::rows, {7, 3}) == 21);
  CHECK(bytes_of(DType::s8, Layout::tile16x8, {17, 9}) == 32 * 16);
  CHECK(bytes_of(DType::s8, Layout::tile16x8, {16, 8}) == 128);
  CHECK(bytes_of(DType::s8, Layout::tile16x8, {16}) == -1);
  CHECK(bytes_of(DType::f32, Layout::tile16x8, {16, 8}) == -1);
  CHECK(bytes_of(DType::f32, Layout::rows, {}) == -1);
  CHECK(bytes_of(DType::f32, Layout::rows, {0, 3}) == -1);
  CHECK(bytes_of(DType::f32, Layout::rows, {1, 1, 1}) == -1);
  CHECK(bytes_of(DType::f32, Layout::rows, {0xffffffff, 0xffffffff}) == -1);
  CHECK(bytes_of(DType::s8, Layout::tile16x8, {0xffffffff, 0xffffffff}) == -1);
  CHECK(bytes_of(DType(3), Layout::rows, {1}) == -1);
  CHECK(bytes_of(DType::s8, Layout(2), {1}) == -1);
}
