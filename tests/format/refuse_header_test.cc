// What is wrong before the table is understood: the header, sizes, checksums, the FlatBuffer itself.
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <random>

#include "format/checksum.h"
#include "format/example.h"
#include "format/header.h"
#include "support/paths.h"

namespace {
using namespace kinglet;
using namespace kinglet::test;
using format::FileHeader;

const Bytes& example_file() {
  static const Bytes file = build_model(example());
  return file;
}

// Every byte, or every few under emulators and sanitizers.
size_t stride() { return small_scale() ? 13 : 1; }

FileHeader header_of(const Bytes& file) {
  FileHeader header;
  std::memcpy(&header, file.data(), sizeof(header));
  return header;
}

// Changes the header and computes its checksum, and only that one, anew.
template <typename Change>
Bytes with_header(Change change) {
  Bytes file = example_file();
  FileHeader header = header_of(file);
  change(header);
  header.header_checksum = format::checksum(&header, offsetof(FileHeader, header_checksum));
  std::memcpy(file.data(), &header, sizeof(header));
  return file;
}

// A file made of another table and other weights, all checksums right.
Bytes assemble(const Bytes& table, const Bytes& weights) {
  FileHeader header = header_of(example_file());
  header.table_size = table.size();
  header.weights_offset = (sizeof(header) + table.size() + 63) / 64 * 64;
  header.weights_size = weights.size();
  Bytes file(header.weights_offset + header.weights_size);
  std::memcpy(file.data(), &header, sizeof(header));
  std::copy(table.begin(), table.end(), file.begin() + sizeof(header));
  std::copy(weights.begin(), weights.end(), file.begin() + static_cast<std::ptrdiff_t>(header.weights_offset));
  seal_model(file);
  return file;
}

struct Parts {
  Bytes table, weights;
};
Parts parts_of(const Bytes& file) {
  const FileHeader header = header_of(file);
  const auto table = file.begin() + sizeof(header);
  return {{table, table + static_cast<long>(header.table_size)},
          {file.begin() + static_cast<long>(header.weights_offset), file.end()}};
}

void check_bad(const Bytes& file, const char* part) { check_refused(file, KINGLET_BAD_MODEL, part); }
}  // namespace

TEST_CASE("an empty file") { check_bad({}, "is empty"); }
TEST_CASE("another kind of file") { check_bad(Bytes(100, 'x'), "is not a .kgl file"); }
TEST_CASE("a file that ends inside the header") {
  check_bad(Bytes(63, 'x'), "has 63 bytes; a .kgl file begins with a header of 64");
}
TEST_CASE("a newer version") {
  check_refused(with_header([](FileHeader& h) { h.version = 3; }), KINGLET_UNSUPPORTED,
                "has format version 3; this version of kinglet reads up to 2");
}
TEST_CASE("version 0") { check_bad(with_header([](FileHeader& h) { h.version = 0; }), "has format version 0"); }
TEST_CASE("a reserved field in use") {
  check_bad(with_header([](FileHeader& h) { h.reserved = 5; }), "header: reserved is 5; expected 0");
}
TEST_CASE("a table of no bytes") {
  check_bad(with_header([](FileHeader& h) { h.table_size = 0; }), "header: table_size is 0; expected 8 to");
}
TEST_CASE("a table size that no table has") {
  check_bad(with_header([](FileHeader& h) { h.table_size = ~uint64_t{0}; }), "header: table_size is 184467440737095");
}
TEST_CASE("weights that begin elsewhere") {
  check_bad(with_header([](FileHeader& h) { h.weights_offset += 64; }), "header: weights_offset is");
  check_bad(with_header([](FileHeader& h) { h.weights_offset = 0; }), "header: weights_offset is 0");
}
TEST_CASE("a weights size that overflows") {
  check_bad(with_header([](FileHeader& h) { h.weights_size = ~uint64_t{0}; }), "which no file can hold");
}
TEST_CASE("a file that is shorter than its header says") {
  check_bad(with_header([](FileHeader& h) { h.weights_size += 1; }), "the file is cut off");
}
TEST_CASE("a file that is longer than its header says") {
  Bytes file = example_file();
  file.push_back(0);
  check_bad(file, "something follows the model");
}
TEST_CASE("a damaged header") {
  Bytes file = example_file();
  file[20] ^= 1;
  check_bad(file, "the checksum of the header is");
}
TEST_CASE("a damaged table") {
  Bytes file = example_file();
  file[100] ^= 1;
  check_bad(file, "the checksum of the table is");
}
TEST_CASE("damaged weights") {
  Bytes file = example_file();
  file.back() ^= 1;
  check_bad(file, "the checksum of weights block 0 is");
}
TEST_CASE("block checksums that are not those of the header") {
  check_bad(with_header([](FileHeader& h) { h.weights_checksum ^= 1; }), "the checksum of the block_checksums is");
}
TEST_CASE("bytes between table and weights") {
  ModelSpec m = example();
  Bytes file = build_model(m);
  while (header_of(file).table_size % 64 == 0) {
    m.prompts[0].text += "more ";
    file = build_model(m);
  }
  file[header_of(file).weights_offset - 1] = 1;
  check_bad(file, "between table and weights, is 1; expected 0");
}
REFUSED("too many block checksums", "there are 2 block_checksums; expected 1", m.extra_block_checksums = 1)
REFUSED("too few block checksums", "there are 0 block_checksums; expected 1", m.extra_block_checksums = -1)

TEST_CASE("a table of another kind") {
  Parts parts = parts_of(example_file());
  std::memcpy(parts.table.data() + 4, "ABCD", 4);
  check_bad(assemble(parts.table, parts.weights), "the table has no identifier \"KGLM\"");
}

TEST_CASE("a table without a field that it must have") {
  for (const uint16_t field :
       {fmt::Model::VT_ARCHITECTURE, fmt::Model::VT_PRECISION, fmt::Model::VT_TENSORS, fmt::Model::VT_MATRICES,
        fmt::Model::VT_NORMS, fmt::Model::VT_VALUES, fmt::Model::VT_PROGRAM, fmt::Model::VT_OUTPUTS,
        fmt::Model::VT_BLOCK_CHECKSUMS}) {
    Parts parts = parts_of(example_file());
    // The root table begins with the distance back to its list of fields, whose entry 0 means "absent".
    uint32_t root;
    int32_t back;
    std::memcpy(&root, parts.table.data(), 4);
    std::memcpy(&back, parts.table.data() + root, 4);
    std::memset(parts.table.data() + root - back + field, 0, 2);
    CAPTURE(field);
    check_bad(assemble(parts.table, parts.weights), "the table is not a valid FlatBuffer");
  }
}

TEST_CASE("a file cut off at any byte") {
  const Bytes& file = example_file();
  for (size_t size = 0; size < file.size(); size += stride()) {
    std::string message;
    CAPTURE(size);
    REQUIRE(open_status({file.begin(), file.begin() + static_cast<long>(size)}, &message) == KINGLET_BAD_MODEL);
  }
}

TEST_CASE("a table cut off at any byte, with a header that agrees") {
  const Parts parts = parts_of(example_file());
  // The last bytes may be the FlatBuffer's own padding.
  for (size_t size = 8; size + 4 < parts.table.size(); size += stride()) {
    std::string message;
    CAPTURE(size);
    const Bytes table(parts.table.begin(), parts.table.begin() + static_cast<long>(size));
    REQUIRE(open_status(assemble(table, parts.weights), &message) == KINGLET_BAD_MODEL);
  }
}

TEST_CASE("weights cut off at any byte, with a header that agrees") {
  const Parts parts = parts_of(example_file());
  for (size_t size = 0; size < parts.weights.size(); size += stride()) {
    std::string message;
    CAPTURE(size);
    const Bytes weights(parts.weights.begin(), parts.weights.begin() + static_cast<long>(size));
    REQUIRE(open_status(assemble(parts.table, weights), &message) == KINGLET_BAD_MODEL);
  }
}

TEST_CASE("a flip of any byte is found") {
  Bytes file = example_file();
  for (size_t i = 0; i < file.size(); i += stride()) {
    const auto mask = static_cast<uint8_t>(i % 9 == 8 ? 0xff : 1u << i % 9);
    std::string message;
    file[i] ^= mask;
    CAPTURE(i);
    REQUIRE(open_status(file, &message) == KINGLET_BAD_MODEL);
    file[i] ^= mask;
  }
}

TEST_CASE("a flip of any byte of the table with right checksums is refused or harmless") {
  const uint32_t seed = 7;
  std::mt19937 random(seed);
  CAPTURE(seed);
  const Bytes& file = example_file();
  size_t refused = 0, opened = 0;
  for (size_t i = sizeof(FileHeader); i < sizeof(FileHeader) + header_of(file).table_size; i += stride()) {
    Bytes changed = file;
    changed[i] ^= static_cast<uint8_t>(1 + random() % 255);
    seal_model(changed);
    std::string message;
    const kinglet_status status = open_status(changed, &message);
    CAPTURE(i);
    REQUIRE((status == KINGLET_OK || status == KINGLET_BAD_MODEL || status == KINGLET_UNSUPPORTED));
    ++(status == KINGLET_OK ? opened : refused);
  }
  CHECK(refused > 1000 / stride());
  CHECK(opened > 100 / stride());  // letters of names, numbers of samples
}
