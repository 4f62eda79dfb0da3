// Files from before PyTorch 1.6: pickles and then the bytes of storages.
#include <doctest/doctest.h>

#include "error.h"
#include "fixtures.h"
#include "readers/pytorch.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;

std::vector<StoredTensor> read_bytes(const std::string& bytes) {
  return read_pytorch(memory_file({bytes.begin(), bytes.end()}, "old.bin"));
}

std::string refusal(const std::string& bytes) {
  try {
    read_bytes(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t place = text.find(from);
  REQUIRE(place != std::string::npos);
  return text.replace(place, from.size(), to);
}

const Tensors kTensors = {{"a.weight", {{2, 3}, {1, 2, 3, 4, 5, 6}}}, {"b", {{1}, {-7}}}};

TEST_CASE("an old file's tensors are read from behind its pickles") {
  const auto tensors = read_bytes(torch_save_bytes(kTensors, true));
  REQUIRE(tensors.size() == 2);
  for (const StoredTensor& tensor : tensors) {
    const RandomTensor& expected = kTensors.at(tensor.name);
    CHECK(std::equal(tensor.shape.begin(), tensor.shape.end(), expected.shape.begin(), expected.shape.end()));
    std::vector<float> values(expected.values.size());
    read_elements(tensor, 0, values.size(), values.data());
    CHECK(values == expected.values);
  }
}

TEST_CASE("pickles that are longer than the part that is read first") {
  Tensors tensors;
  for (uint32_t i = 0; i < 2000; ++i) {
    tensors["a.tensor.with.a.name.that.is.long.enough.to.fill.some.space." + std::to_string(i)] = {{1}, {float(i)}};
  }
  const std::string bytes = torch_save_bytes(tensors, true);
  REQUIRE(bytes.size() > 300'000);
  CHECK(read_bytes(bytes).size() == tensors.size());
}

TEST_CASE("every prefix of an old file is refused") {
  const std::string good = torch_save_bytes(kTensors, true);
  for (size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(refusal(good.substr(0, size)) != "");
  }
}

TEST_CASE("an old file with any byte changed is read or refused, never more") {
  const std::string good = torch_save_bytes(kTensors, true);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      try {
        for (const StoredTensor& tensor : read_bytes(bad)) {
          std::vector<float> values(tensor.element_count());
          read_elements(tensor, 0, values.size(), values.data());
        }
      } catch (const Error&) {
      }
    }
  }
}

TEST_CASE("what an old file may not say is refused by what it is") {
  const std::string good = torch_save_bytes(kTensors, true);
  contains(refusal(replaced(good, "\x8a\x0a\x6c", "\x8a\x0a\x6d")), "is none of torch.save");
  contains(refusal(replaced(good, "M\xe9\x03.", "M\xea\x03.")), "version 1002, expected 1001");
  contains(refusal(replaced(good, "little_endian\x88", "little_endian\x89")), "is not little-endian");
  contains(refusal(replaced(good, "ctorch._utils\n_rebuild_tensor_v2", "cbuiltins\neval")),
           "asks for \"builtins.eval\"");
  contains(refusal(replaced(good, "NtQ", ")tQ")), "a view of another");
  contains(refusal(replaced(good, "FloatStorage", "ComplexStorage")), "asks for \"torch.ComplexStorage\"");
  const std::string keys = "](X" + std::string("\x08\0\0\0", 4) + "94000000";
  contains(refusal(replaced(good, keys, replaced(keys, "94000000", "94000007"))), "\"94000007\", which no tensor has");
  contains(refusal(replaced(good, keys, replaced(keys, "94000000", "94000001"))), "should have 1 elements of 4 bytes");
  contains(refusal(good.substr(0, good.size() - 1)), "the file says 1 and has 3 bytes left");
  CHECK(refusal(good + "more") == "");
}

}  // namespace
}  // namespace kinglet::test
