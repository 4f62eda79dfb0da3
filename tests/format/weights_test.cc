// Values that no kernel may meet, wherever they lie in the weights section.
#include <cstring>
#include <limits>
#include <random>

#include "format/example.h"
#include "format/header.h"

namespace {
using namespace kinglet;
using namespace kinglet::test;
using kinglet::fmt::DType;
using kinglet::fmt::Layout;

void put_float(Bytes& bytes, size_t element, float value) { std::memcpy(bytes.data() + 4 * element, &value, 4); }

std::string message_of(const ModelSpec& m, kinglet_status expected) {
  std::string message;
  CHECK(open_status(build_model(m), &message) == expected);
  return message;
}

// An unused tensor so large that it straddles pieces and checksum blocks, from an odd place on.
constexpr uint32_t kRows = 1500, kColumns = 1001;  // 94 × 126 tiles, padded both ways: 1.5 MB
TensorSpec large(Layout layout) {
  const size_t bytes = layout == Layout::rows ? size_t{kRows} * kColumns : size_t{1504} * 1008;
  return {"large", DType::s8, layout, {kRows, kColumns}, Bytes(bytes), {}};
}
}  // namespace

REFUSED("a weight of -128", "tensor 8 (layer.0.query.weight): byte 9 is -128; expected -127 to 127",
        tensor(m, "layer.0.query.weight").bytes[9] = 0x80)
REFUSED("an embedding of -128", "tensor 0 (embeddings.word): byte 1439 is -128",
        tensor(m, "embeddings.word").bytes.back() = 0x80)
REFUSED("padding rows of a tile that are not 0", "(layer.0.up.weight): the padding at byte 1376 is not 0",
        tensor(m, "layer.0.up.weight").bytes[((2 * 5 + 0) * 16 + 12) * 8] = 1)
REFUSED("padding columns of a tile that are not 0", "(layer.0.up.weight): the padding at byte 516 is not 0",
        tensor(m, "layer.0.up.weight").bytes[(4 * 16 + 0) * 8 + 4] = 1)
REFUSED("a scale that is not a number", "(layer.0.up.scale): element 3 is infinite or not a number",
        put_float(tensor(m, "layer.0.up.scale").bytes, 3, std::numeric_limits<float>::quiet_NaN()))
REFUSED("an infinite bias", "(layer.0.up.bias): element 43 is infinite",
        put_float(tensor(m, "layer.0.up.bias").bytes, 43, -std::numeric_limits<float>::infinity()))
REFUSED("padding of a scale that is not 0", "(layer.0.up.scale): the padding from element 44 on is not 0",
        put_float(tensor(m, "layer.0.up.scale").bytes, 47, 1))
REFUSED("padding of column sums that is not 0", "(layer.0.up.column_sum): the padding from element 44 on is not 0",
        tensor(m, "layer.0.up.column_sum").bytes[44 * 4] = 1)
REFUSED("padding of a bias that is not 0", "(layer.0.up.bias): the padding from element 44 on is not 0",
        put_float(tensor(m, "layer.0.up.bias").bytes, 45, 1e-30f))

TEST_CASE("an f32 weight that is not finite") {
  ModelSpec m = example(false);
  put_float(tensor(m, "layer.0.up.weight").bytes, 100, std::numeric_limits<float>::infinity());
  CHECK(message_of(m, KINGLET_BAD_MODEL).find("(layer.0.up.weight): element 100 is infinite") != std::string::npos);
}

TEST_CASE("the largest and the smallest floats, -127 and any s32 are fine") {
  ModelSpec m = example();
  put_float(tensor(m, "layer.0.up.scale").bytes, 0, std::numeric_limits<float>::max());
  put_float(tensor(m, "layer.0.up.scale").bytes, 1, std::numeric_limits<float>::denorm_min());
  put_float(tensor(m, "layer.0.up.scale").bytes, 2, std::numeric_limits<float>::lowest());
  tensor(m, "layer.0.up.weight").bytes[0] = 0x81;
  std::memset(tensor(m, "layer.0.up.column_sum").bytes.data(), 0x80, 16);
  CHECK(message_of(m, KINGLET_OK) == "");
}

TEST_CASE("-128 is found at every place of a tensor that straddles pieces and blocks") {
  ModelSpec m = example();
  m.add_tensor(large(Layout::rows));
  CHECK(message_of(m, KINGLET_OK) == "");
  const size_t size = m.tensors.back().bytes.size();
  uint64_t begin = 0;
  for (size_t i = 0; i + 1 < m.tensors.size(); ++i) {
    begin += (m.tensors[i].bytes.size() + 63) / 64 * 64;
  }
  std::vector<size_t> places = {0, 1, 63, 64, size - 1, size - 2};
  for (uint64_t edge = format::kChecksumBlock / 8; edge < begin + size; edge += format::kChecksumBlock / 8) {
    for (const uint64_t at : {edge - 1, edge, edge + 1}) {
      if (at >= begin && at < begin + size) {
        places.push_back(at - begin);
      }
    }
  }
  for (const size_t place : places) {
    m.tensors.back().bytes[place] = 0x80;
    const std::string expected = std::string("(large): byte ").append(std::to_string(place)).append(" is -128");
    CAPTURE(expected);
    CHECK(message_of(m, KINGLET_BAD_MODEL).find(expected) != std::string::npos);
    m.tensors.back().bytes[place] = 0;
  }
}

TEST_CASE("every byte of the padding of tiles is found, and no other") {
  // Small: every byte. Both paddings, either, and none.
  for (const auto& shape : {std::pair{20u, 12u}, {16u, 12u}, {20u, 8u}, {32u, 16u}, {1u, 1u}, {33u, 17u}}) {
    const uint32_t n = shape.first, k = shape.second;
    const uint32_t tiles = (k + 7) / 8;
    const size_t size = size_t{(n + 15) / 16} * tiles * 128;
    ModelSpec m = example();
    m.add_tensor({"tiles", DType::s8, Layout::tile16x8, {n, k}, Bytes(size), {}});
    for (size_t i = 0; i < size; ++i) {
      const size_t row = i / (tiles * 128) * 16 + i / 8 % 16;
      const size_t column = i / 128 % tiles * 8 + i % 8;
      m.tensors.back().bytes[i] = 1;
      CAPTURE(n);
      CAPTURE(k);
      CAPTURE(i);
      std::string message;
      REQUIRE(open_status(build_model(m), &message) == (row < n && column < k ? KINGLET_OK : KINGLET_BAD_MODEL));
      m.tensors.back().bytes[i] = 0;
    }
  }
}

TEST_CASE("the padding of tiles is found across pieces and blocks") {
  const uint32_t seed = 11;
  std::mt19937 random(seed);
  CAPTURE(seed);
  ModelSpec m = example();
  m.add_tensor(large(Layout::tile16x8));
  Bytes& bytes = m.tensors.back().bytes;
  const uint32_t tiles = 126;
  for (int i = 0; i < 40; ++i) {
    const size_t row = random() % 1504, column = i % 2 == 0 ? 1001 + random() % 7 : random() % 1008;
    const size_t at = ((row / 16 * tiles + column / 8) * 16 + row % 16) * 8 + column % 8;
    bytes[at] = 3;
    CAPTURE(row);
    CAPTURE(column);
    message_of(m, row < kRows && column < kColumns ? KINGLET_OK : KINGLET_BAD_MODEL);
    bytes[at] = 0;
  }
  for (size_t row = kRows; row < 1504; ++row) {
    const size_t at = (row / 16 * tiles * 16 + row % 16) * 8;
    bytes[at] = 3;
    message_of(m, KINGLET_BAD_MODEL);
    bytes[at] = 0;
  }
}

TEST_CASE("damage is named as damage, even where it makes a bad value") {
  const ModelSpec m = example();
  Bytes file = build_model(m);
  format::FileHeader header;
  std::memcpy(&header, file.data(), sizeof(header));
  file[header.weights_offset] = 0x80;  // the first byte of the s8 word embeddings
  check_refused(file, KINGLET_BAD_MODEL, "the checksum of weights block 0");
}

TEST_CASE("damage in a later block names that block") {
  ModelSpec m = example();
  m.add_tensor(large(Layout::rows));
  Bytes file = build_model(m);
  file.back() ^= 0x10;
  check_refused(file, KINGLET_BAD_MODEL, "the checksum of weights block 1");
}
