// One test per way in which attention's terms of distance can be wrong, and models with all of them that open.
#include "format/example.h"

namespace {
using namespace kinglet;
using namespace kinglet::test;

constexpr int32_t kNobody = 10000;

AttentionSpec& attention(ModelSpec& m) { return op<AttentionSpec>(m, 1); }

int32_t zeros(ModelSpec& m, uint32_t n, uint32_t k) {
  return static_cast<int32_t>(m.add_f32("zeros", {n, k}, std::vector<float>(size_t{n} * k)));
}
int32_t vector_of(ModelSpec& m, uint32_t n) {
  return static_cast<int32_t>(m.add_f32("vector", {n}, std::vector<float>(n)));
}
int32_t bytes_of(ModelSpec& m, uint32_t n, uint32_t k, fmt::Layout layout = fmt::Layout::rows) {
  return static_cast<int32_t>(m.add_tensor({"bytes", fmt::DType::s8, layout, {n, k}, Bytes(size_t{n} * k), {}}));
}

// Heads 2 of 16, width 32, max_length 16.
DisentangledSpec& disentangled(ModelSpec& m) {
  AttentionSpec& a = attention(m);
  a.quantized = false;
  a.disentangled = {DisentangledSpec{zeros(m, 8, 32), -1, zeros(m, 8, 32), -1, {0, 7, 3}}};
  return a.disentangled.front();
}

void check_opens(const ModelSpec& m) {
  std::string message;
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
}
}  // namespace

// ---- Relative bias ----
REFUSED("a relative bias that does not exist", "program[1] (Attention): relative_bias is 10000, but",
        attention(m).relative_bias = kNobody)
REFUSED("a negative relative bias", "relative_bias is -2, but", attention(m).relative_bias = -2)
REFUSED("a relative bias of one dimension", "with 1 dimension; expected 2",
        attention(m).relative_bias = vector_of(m, 2))
REFUSED("a relative bias of s8", "with dtype s8; expected f32", attention(m).relative_bias = bytes_of(m, 2, 5))
REFUSED("a relative bias for other heads", "with 3 rows; expected one for each of 2 heads",
        attention(m).relative_bias = zeros(m, 3, 5))
REFUSED("a relative bias of an even number of distances", "with 4 columns; expected an odd number",
        attention(m).relative_bias = zeros(m, 2, 4))
REFUSED("a relative bias of too many distances", "with 131075 columns; expected an odd number of at most 131073",
        attention(m).relative_bias = zeros(m, 2, 131075))

// ---- Rotary ----
REFUSED("a rotary table that does not exist", "rotary is 10000, but", attention(m).rotary = kNobody)
REFUSED("a rotary table of one dimension", "with 1 dimension; expected 2", attention(m).rotary = vector_of(m, 16))
REFUSED("a rotary table of s8", "with dtype s8; expected f32", attention(m).rotary = bytes_of(m, 16, 16))
REFUSED("a rotary table that is too short", "with 15 rows; expected at least 16 (max_length)",
        attention(m).rotary = zeros(m, 15, 16))
REFUSED("a rotary table of an odd width", "with 15 columns; expected an even number of at most 16 (head_dim)",
        attention(m).rotary = zeros(m, 16, 15))
REFUSED("a rotary table wider than a head", "with 18 columns; expected an even number of at most 16 (head_dim)",
        attention(m).rotary = zeros(m, 16, 18))

// ---- Disentangled ----
REFUSED("quantized attention with disentangled terms", "quantized with disentangled terms; expected fp32",
        disentangled(m); attention(m).quantized = true)
REFUSED("no disentangled table", "disentangled has no table; expected one at least",
        disentangled(m).content_to_position = -1; attention(m).disentangled.front().position_to_content = -1)
REFUSED("a disentangled table that does not exist", "content_to_position is 10000, but",
        disentangled(m).content_to_position = kNobody)
REFUSED("another disentangled table that does not exist", "position_to_content is 10000, but",
        disentangled(m).position_to_content = kNobody)
REFUSED("a disentangled table of one dimension", "with 1 dimension; expected 2",
        disentangled(m).position_to_content = vector_of(m, 32))
REFUSED("a disentangled table of another width", "with 31 columns; expected 32 (heads·head_dim)",
        disentangled(m).position_to_content = zeros(m, 8, 31))
REFUSED("a disentangled table of tiles", "with dtype s8 and layout tile16x8; expected f32 or s8 in rows",
        disentangled(m).content_to_position = bytes_of(m, 16, 32, fmt::Layout::tile16x8))
REFUSED("an s8 disentangled table without scale", "content_to_position_scale is -1, but",
        disentangled(m).content_to_position = bytes_of(m, 8, 32))
REFUSED("a disentangled scale of another length", "with 7 elements; expected 8",
        disentangled(m).content_to_position = bytes_of(m, 8, 32);
        attention(m).disentangled.front().content_to_position_scale = vector_of(m, 7))
REFUSED("an f32 disentangled table with a scale", "but the table is f32; expected -1",
        disentangled(m).position_to_content_scale = vector_of(m, 8))
REFUSED("a disentangled scale without a table", "content_to_position_scale is 0 without a table",
        disentangled(m).content_to_position = -1; attention(m).disentangled.front().content_to_position_scale = 0)
REFUSED("an even number of distances", "disentangled has 2 rows of distances; expected an odd number",
        disentangled(m).rows = {0, 1})
REFUSED("no distance", "disentangled has 0 rows of distances", disentangled(m).rows = {})
REFUSED("too many distances", "disentangled has 131075 rows of distances; expected an odd number of at most 131073",
        disentangled(m).rows.assign(131075, 0))
REFUSED("a distance without a row in the shorter table", "disentangled rows[2] is 7, but its table has 7 rows",
        disentangled(m).position_to_content = zeros(m, 7, 32); attention(m).disentangled.front().rows = {0, 6, 7})

// ---- Neighbours: of the hidden state, value 6, of width 36 ----
namespace {
uint32_t add_neighbours(ModelSpec& m, uint32_t before, uint32_t after, uint32_t width, uint32_t in = 6) {
  const uint32_t out = m.add_value(fmt::Extent::tokens, width);
  m.program.push_back({NeighboursSpec{in, before, after, out}, {}});
  return out;
}
}  // namespace
REFUSED("neighbours of a value that does not exist", "program[10] (Neighbours): in is 10000, but",
        add_neighbours(m, 1, 1, 108, 10000))
REFUSED("neighbours of sequences", "in has extent sequences; expected tokens", add_neighbours(m, 1, 1, 108, 7))
REFUSED("too many neighbours before", "65 rows before and 0 after; expected at most 64", add_neighbours(m, 65, 0, 36))
REFUSED("too many neighbours after", "0 rows before and 65 after; expected at most 64", add_neighbours(m, 0, 65, 36))
REFUSED("neighbours of another width", "with width 107; the step makes 108", add_neighbours(m, 1, 1, 107))
REFUSED("neighbours that are too wide", "129 rows of width 600 side by side; expected at most 65536 columns",
        m.matrices.push_back({static_cast<uint32_t>(zeros(m, 600, 36)), -1, -1, -1, -1});
        const uint32_t wide = m.add_value(fmt::Extent::tokens, 600);
        const auto matrix = static_cast<uint32_t>(m.matrices.size() - 1);
        m.program.push_back({LinearSpec{6, matrix, -1, fmt::Activation::none, wide}, {}});
        add_neighbours(m, 64, 64, 77400, wide))

TEST_CASE("neighbours open") {
  ModelSpec m = example();
  add_neighbours(m, 1, 2, 144);
  check_opens(m);
}

TEST_CASE("attention with a bias, rotary positions and a window opens") {
  ModelSpec m = example();
  attention(m).relative_bias = zeros(m, 2, 1);
  attention(m).rotary = zeros(m, 16, 14);
  attention(m).window = 0xffffffff;
  check_opens(m);
}

TEST_CASE("disentangled attention with f32 and s8 tables opens") {
  ModelSpec m = example();
  disentangled(m).content_to_position = bytes_of(m, 8, 32);
  attention(m).disentangled.front().content_to_position_scale = vector_of(m, 8);
  attention(m).window = 3;
  check_opens(m);
}
