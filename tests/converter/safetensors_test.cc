// The safetensors reader: every dtype it converts, and one named test per lie it refuses.
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "error.h"
#include "fixtures.h"
#include "readers/checkpoint.h"
#include "readers/safetensors.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;

std::vector<StoredTensor> read_bytes(const std::string& bytes) {
  return read_safetensors(memory_file({bytes.begin(), bytes.end()}, "test.safetensors"));
}

// The message with which a header over `data_size` zero bytes is refused.
std::string refusal(const std::string& header, size_t data_size) {
  try {
    read_bytes(safetensors_bytes(header, std::string(data_size, '\0')));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  INFO("message: ", text);
  CHECK(text.find(part) != std::string::npos);
  return true;
}

template <typename T>
std::vector<float> read_one(const char* dtype, const std::vector<T>& values) {
  std::string data(values.size() * sizeof(T), '\0');
  std::memcpy(data.data(), values.data(), data.size());
  Json header;
  header["x"] = {{"dtype", dtype}, {"shape", {values.size()}}, {"data_offsets", {0, data.size()}}};
  const auto tensors = read_bytes(safetensors_bytes(header.dump(), data));
  REQUIRE(tensors.size() == 1);
  std::vector<float> out(values.size());
  read_elements(tensors[0], 0, out.size(), out.data());
  return out;
}

TEST_CASE("every finite F16 becomes the float it stands for") {
  std::vector<uint16_t> all;
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    if ((bits & 0x7c00) != 0x7c00) {
      all.push_back(static_cast<uint16_t>(bits));
    }
  }
  const auto floats = read_one("F16", all);
  size_t wrong = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    const int exponent = (all[i] >> 10) & 31;
    const int fraction = all[i] & 1023;
    const double magnitude = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    wrong += floats[i] != static_cast<float>((all[i] & 0x8000) != 0 ? -magnitude : magnitude);
  }
  CHECK(wrong == 0);
}

TEST_CASE("BF16, F32 and F64 are read; F64 is rounded to nearest") {
  CHECK(read_one<uint16_t>("BF16", {0x3f80, 0xc049, 0x0001}) ==
        std::vector<float>{1.0f, -3.140625f, std::bit_cast<float>(0x00010000u)});
  CHECK(read_one<float>("F32", {0.1f, -2.5f}) == std::vector<float>{0.1f, -2.5f});
  CHECK(read_one<double>("F64", {0.1, 1 + 0x1p-25}) == std::vector<float>{0.1f, 1.0f});
}

TEST_CASE("a part of a tensor is read without the rest") {
  std::vector<double> values(100'000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<double>(i);
  }
  std::string data(values.size() * 8, '\0');
  std::memcpy(data.data(), values.data(), data.size());
  Json header;
  header["x"] = {{"dtype", "F64"}, {"shape", {values.size()}}, {"data_offsets", {0, data.size()}}};
  const auto tensors = read_bytes(safetensors_bytes(header.dump(), data));
  std::vector<float> out(30'000);
  read_elements(tensors[0], 65'000, out.size(), out.data());
  CHECK(out.front() == 65'000);
  CHECK(out.back() == 94'999);
}

TEST_CASE("infinities and NaN are refused by the tensor's name") {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::nanf("")}) {
    std::string message;
    try {
      read_one<float>("F32", {1, bad});
    } catch (const Error& error) {
      message = error.what();
    }
    contains(message, "the tensor \"x\" holds an infinity or a NaN");
  }
  std::string message;
  try {
    read_one<double>("F64", {1e300});  // finite, but not as a float
  } catch (const Error& error) {
    message = error.what();
  }
  contains(message, "\"x\"");
}

TEST_CASE("a header that is longer than the file is refused") {
  std::string message;
  try {
    read_bytes(safetensors_bytes("{}", "", 1000));
  } catch (const Error& error) {
    message = error.what();
  }
  contains(message, "its header says it is 1000 bytes long, but only 2 bytes follow");
}

TEST_CASE("a header of absurd length is refused before memory is taken for it") {
  std::string message;
  try {
    read_bytes(safetensors_bytes("{}", "", ~uint64_t{0}));
  } catch (const Error& error) {
    message = error.what();
  }
  contains(message, "at most 100000000 are allowed");
}

TEST_CASE("files of fewer than 8 bytes are refused") {
  CHECK_THROWS_AS(read_bytes(""), Error);
  CHECK_THROWS_AS(read_bytes("1234567"), Error);
}

TEST_CASE("a header that is not JSON, or not an object, is refused") {
  contains(refusal("{\"x\":", 0), "not valid JSON");
  contains(refusal("[1,2]", 0), "does not begin with '{'");
  contains(refusal("{\"x\": 3}", 0), "lacks dtype, shape or data_offsets");
}

TEST_CASE("a header that nests too deep is refused") {
  contains(refusal("{\"x\":" + std::string(100'000, '['), 0), "nests deeper");
}

TEST_CASE("a header of more tensors than can be looked through is refused") {
  std::string header = "{";
  for (int i = 0; i < 70'000; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":{}";
  }
  contains(refusal(header + "}", 0), "keys, which is too many");
}

TEST_CASE("a tensor that is listed twice is refused") {
  const std::string entry = R"("x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  contains(refusal("{" + entry + "," + entry + "}", 4), "has the key \"x\" twice");
}

TEST_CASE("an unknown dtype is refused by name") {
  contains(refusal(R"({"x":{"dtype":"Q4_K","shape":[1],"data_offsets":[0,4]}})", 4), "its dtype \"Q4_K\"");
}

TEST_CASE("a size that dtype and shape do not give is refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
           "span 4 bytes, but F32 [2] takes 8");
  contains(refusal(R"({"x":{"dtype":"F16","shape":[2],"data_offsets":[0,8]}})", 8),
           "span 8 bytes, but F16 [2] takes 4");
}

TEST_CASE("offsets beyond the data are refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 4), "lie beyond the 4 bytes");
}

TEST_CASE("offsets that end before they begin are refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", 4), "end before they begin");
}

TEST_CASE("negative and fractional offsets and dimensions are refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}})", 4), "are not two whole numbers");
  contains(refusal(R"({"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})", 4), "not a whole number");
  contains(refusal(R"({"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4), "not a whole number");
}

TEST_CASE("a shape whose product overflows is refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0), "overflows");
}

TEST_CASE("tensors that overlap are refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                   R"("y":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
                   12),
           "\"y\": its data begin at 4 and overlap");
}

TEST_CASE("holes between tensors and bytes behind them are refused") {
  contains(refusal(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8), "leave a hole");
  contains(refusal(R"({"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 8), "the file has 8");
}

TEST_CASE("control characters in names do not reach the message") {
  const std::string message = refusal(R"({"a\nb":{"dtype":"?","shape":[1],"data_offsets":[0,4]}})", 4);
  contains(message, "\"a\\x0ab\"");
}

// ---- Shards ----

struct Shards {
  TemporaryFolder folder;
  Shards() {
    write_safetensors(folder / "a.safetensors", {{"one", {{2}, {1, 2}}}});
    write_safetensors(folder / "b.safetensors", {{"two", {{1}, {3}}}});
  }
  void index(const Json& map) const {
    write_file(folder / "model.safetensors.index.json", Json{{"weight_map", map}}.dump());
  }
  std::string refusal() const {
    try {
      open_checkpoint(folder.path(), {});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

TEST_CASE("shards are one checkpoint") {
  const Shards shards;
  shards.index({{"one", "a.safetensors"}, {"two", "b.safetensors"}});
  const Checkpoint checkpoint = open_checkpoint(shards.folder.path(), {});
  CHECK(checkpoint.tensors.size() == 2);
  CHECK(checkpoint.files.size() == 2);
  // A shard given as the file stands for all of them.
  CHECK(open_checkpoint(shards.folder.path(), shards.folder / "b.safetensors").tensors.size() == 2);
}

TEST_CASE("a shard that is missing is refused by name") {
  const Shards shards;
  shards.index({{"one", "a.safetensors"}, {"two", "c.safetensors"}});
  contains(shards.refusal(), "names the shard \"c.safetensors\", which is not in the folder");
}

TEST_CASE("a tensor that is not in its shard is refused by name") {
  const Shards shards;
  shards.index({{"one", "b.safetensors"}, {"two", "b.safetensors"}});
  contains(shards.refusal(), "the tensor \"one\" is in \"b.safetensors\", but it is not there");
}

TEST_CASE("shard names that leave the folder are refused") {
  for (const char* name : {"../a.safetensors", "/etc/passwd", "x/../a.safetensors", "..", ""}) {
    const Shards shards;
    shards.index({{"one", name}});
    contains(shards.refusal(), "expected the name of a file in the same folder");
  }
}

TEST_CASE("an index without a weight_map is refused") {
  const Shards shards;
  write_file(shards.folder / "model.safetensors.index.json", "{\"metadata\":{}}");
  contains(shards.refusal(), "weight_map");
}

TEST_CASE("a link to a file elsewhere, as in a hub cache, is followed") {
  const TemporaryFolder folder;
  write_safetensors(folder / "blob", {{"one", {{2}, {1, 2}}}});
  std::filesystem::create_directory(folder / "snapshot");
  std::filesystem::create_symlink("../blob", folder / "snapshot/model.safetensors");
  CHECK(open_checkpoint(folder / "snapshot", {}).tensors.size() == 1);
}

TEST_CASE("a folder without weights says what it has instead") {
  const TemporaryFolder folder;
  write_file(folder / "tf_model.h5", "x");
  std::string message;
  try {
    open_checkpoint(folder.path(), {});
  } catch (const Error& error) {
    message = error.what();
  }
  contains(message, "it has tf_model.h5, which is not read");
}

}  // namespace
}  // namespace kinglet::test
