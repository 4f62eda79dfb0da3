// The PyTorch reader: what torch.save writes, and attacks on the zip archive and the pickle.
#include <doctest/doctest.h>

#include <cstring>

#include "error.h"
#include "fixtures.h"
#include "readers/pickle.h"
#include "readers/pytorch.h"
#include "readers/zip.h"
#include "support/paths.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;
using namespace std::string_literals;

std::vector<StoredTensor> read_bytes(const std::string& bytes) {
  return read_pytorch(memory_file({bytes.begin(), bytes.end()}, "test.bin"));
}

std::string refusal(const std::string& bytes) {
  try {
    read_bytes(bytes);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string pickle_refusal(const std::string& pickle) {
  try {
    const std::vector<uint8_t> bytes(pickle.begin(), pickle.end());
    read_pickle(bytes, "test");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string float_bytes(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST_CASE("a tensor is found in its storage") {
  const auto tensors =
      read_bytes(pytorch_bytes(tensor_pickle(7, 1, {2, 3}, {3, 1}), {{"0", float_bytes({9, 1, 2, 3, 4, 5, 6})}}));
  REQUIRE(tensors.size() == 1);
  CHECK(tensors[0].name == "x");
  std::vector<float> values(6);
  read_elements(tensors[0], 0, 6, values.data());
  CHECK(values == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("a transposed tensor is read in its own order") {
  const auto tensors =
      read_bytes(pytorch_bytes(tensor_pickle(6, 0, {2, 3}, {1, 2}), {{"0", float_bytes({1, 2, 3, 4, 5, 6})}}));
  std::vector<float> values(6);
  read_elements(tensors[0], 0, 6, values.data());
  CHECK(values == std::vector<float>{1, 3, 5, 2, 4, 6});
}

TEST_CASE("names outside the list are refused by name, and nothing is run") {
  contains(pickle_refusal("\x80\x02"
                          "cos\nsystem\n(X\x02\0\0\0idtR."s),
           "asks for \"os.system\"");
  contains(pickle_refusal("\x80\x04\x8c\x08"
                          "builtins\x8c\x04"
                          "eval\x93."s),
           "asks for \"builtins.eval\"");
  contains(pickle_refusal("\x80\x02"
                          "ctorch\nload\n."s),
           "asks for \"torch.load\"");
  contains(pickle_refusal("\x80\x02"
                          "ctorch.storage\nUntypedStorage\n."s),
           "UntypedStorage");
  contains(pickle_refusal("\x80\x02"
                          "ccollections\nOrderedDict.__init__\n."s),
           "OrderedDict.__init__");
}

TEST_CASE("opcodes that build objects in other ways are refused") {
  contains(pickle_refusal("(ios\nsystem\n."s), "opcode 0x69");    // INST
  contains(pickle_refusal("(cos\nsystem\no."s), "asks for");      // OBJ behind a GLOBAL
  contains(pickle_refusal("\x80\x02)\x81."s), "opcode 0x81");     // NEWOBJ
  contains(pickle_refusal("\x80\x02\x82\x01."s), "opcode 0x82");  // EXT1
  contains(pickle_refusal("P0\n."s), "opcode 0x50");              // PERSID
}

TEST_CASE("calls with the wrong arguments are refused") {
  contains(pickle_refusal("ctorch._utils\n_rebuild_tensor_v2\n)R."s), "with 0 arguments");
  contains(pickle_refusal("ctorch\nFloatStorage\n)R."s), "calls \"torch.FloatStorage\"");
  contains(pickle_refusal("ctorch._utils\n_rebuild_parameter\n(NNNtR."s), "None as the data of a parameter");
  contains(pickle_refusal("K\x01)R."s), "an integer as what is called");
}

TEST_CASE("a stack that runs empty, marks that are missing and memo keys never stored are refused") {
  contains(pickle_refusal("."s), "empty stack");
  contains(pickle_refusal("t."s), "no mark");
  contains(pickle_refusal("\x86."s), "empty stack");
  contains(pickle_refusal("h\x05."s), "memo key 5");
  contains(pickle_refusal("}Nr\xff\xff\xff\xff."s), "far memo key");
  contains(pickle_refusal("(}K\x01s."s), "empty stack");  // takes a value from below a mark
}

TEST_CASE("every prefix of a good pickle is refused") {
  const std::string good = tensor_pickle(6, 0, {2, 3}, {3, 1});
  REQUIRE(pickle_refusal(good) == "");
  for (size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(pickle_refusal(good.substr(0, size)) != "");
  }
}

TEST_CASE("nesting a million deep and cycles take no stack") {
  contains(pickle_refusal(")"s + std::string(1'000'000, '\x85') + "."), "a tuple as its content");
  contains(pickle_refusal("]q\0h\0ah\0."s), "a list as its content");  // a list within itself
  CHECK(pickle_refusal("}q\0(X\1\0\0\0ah\0u."s) == "");                // a dict within itself
}

TEST_CASE("more values than any checkpoint needs are refused") {
  contains(pickle_refusal(std::string(3'000'000, 'N') + "."), "more than 2000000 values");
}

TEST_CASE("a string longer than the pickle is refused") {
  contains(pickle_refusal("X\xff\xff\xff\xff"
                          "abc."s),
           "ends too early");
  contains(pickle_refusal("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
                          "abc."s),
           "ends too early");
}

TEST_CASE("a tensor that does not fit into its storage is refused") {
  const std::string data = float_bytes({1, 2, 3, 4, 5, 6});
  const auto tensor = [&](uint32_t elements, uint32_t offset, const std::vector<uint32_t>& shape,
                          const std::vector<uint32_t>& strides) {
    return refusal(pytorch_bytes(tensor_pickle(elements, offset, shape, strides), {{"0", data}}));
  };
  CHECK(tensor(6, 0, {2, 3}, {3, 1}) == "");
  contains(tensor(6, 1, {2, 3}, {3, 1}), "does not fit into its storage");
  contains(tensor(6, 0, {3, 3}, {3, 1}), "does not fit into its storage");
  contains(tensor(6, 0, {2, 3}, {2000000000, 1}), "does not fit into its storage");
  contains(tensor(6, 0, {2147483647, 2147483647, 2147483647}, {0, 0, 0}), "does not fit into its storage");
  contains(tensor(6, 0, {100}, {0}), "does not fit into its storage");  // a broadcast bomb
  contains(tensor(6, 0, {2, 3}, {1}), "2 dimensions and 1 strides");
  contains(tensor(7, 0, {2, 3}, {3, 1}), "should have 7 elements of 4 bytes, but");
  contains(tensor(6, 0, std::vector<uint32_t>(40, 1), std::vector<uint32_t>(40, 1)), "40 numbers as the shape");
}

TEST_CASE("a storage that is not in the archive is refused") {
  contains(refusal(pytorch_bytes(tensor_pickle(6, 0, {6}, {1}), {{"1", float_bytes({1})}})),
           "its storage \"0\" is not in the file");
}

TEST_CASE("a zip64 archive, as large checkpoints have, is read") {
  const auto tensors = read_bytes(read_file(data_folder() / "../fuzz/corpus/pickle/zip_64"));
  REQUIRE(tensors.size() == 1);
  CHECK(tensors[0].shape == std::vector<uint64_t>{2, 3});
}

TEST_CASE("compressed and encrypted entries are refused by name") {
  ZipBuilder deflated;
  deflated.add("archive/data.pkl", "x", 8);
  contains(refusal(deflated.bytes()), "\"archive/data.pkl\" is compressed (method 8, deflate)");
  ZipBuilder encrypted;
  encrypted.add("archive/data.pkl", "x", 0, 1);
  contains(refusal(encrypted.bytes()), "is encrypted");
}

TEST_CASE("an entry that is there twice is refused") {
  ZipBuilder zip;
  zip.add("a", "x");
  zip.add("a", "y");
  contains(refusal(zip.bytes()), "\"a\" is there twice");
}

TEST_CASE("an archive that is no checkpoint is refused") {
  ZipBuilder zip;
  zip.add("word/document.xml", "x");
  contains(refusal(zip.bytes()), "has no entry data.pkl");
}

TEST_CASE("big-endian checkpoints are refused") {
  ZipBuilder zip;
  zip.add("archive/data.pkl", "}.");
  zip.add("archive/byteorder", "big");
  contains(refusal(zip.bytes()), "its byte order is \"big\"");
}

TEST_CASE("every prefix of an archive is refused") {
  const std::string good = pytorch_bytes(tensor_pickle(2, 0, {2}, {1}), {{"0", float_bytes({1, 2})}});
  REQUIRE(refusal(good) == "");
  for (size_t size = 0; size < good.size(); ++size) {
    CAPTURE(size);
    CHECK(refusal(good.substr(0, size)) != "");
  }
}

TEST_CASE("an archive with any byte changed is read or refused, never more") {
  const std::string good = pytorch_bytes(tensor_pickle(2, 0, {2}, {1}), {{"0", float_bytes({1, 2})}});
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

}  // namespace
}  // namespace kinglet::test
