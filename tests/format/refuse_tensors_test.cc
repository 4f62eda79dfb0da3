// One test per way in which tensors, matrices and norms can be wrong.
#include <cmath>
#include <limits>

#include "format/example.h"

namespace {
using namespace kinglet;
using namespace kinglet::test;
using kinglet::fmt::DType;
using kinglet::fmt::Layout;

// In example(): matrix 0 is the query, matrix 4 the up projection [44, 36].
constexpr int32_t kNobody = 10000;
MatrixSpec& up(ModelSpec& m) { return m.matrices.at(4); }

// An f32 matrix of the same shape in place of the up projection.
void make_f32(ModelSpec& m) {
  up(m) = {m.add_f32("plain", {44, 36}, std::vector<float>(44 * 36)), -1, -1, -1, -1};
}
}  // namespace

// ---- Tensors ----
REFUSED("no tensors", "the number of tensors is 0; expected 1 to 65536", m.tensors.clear())
REFUSED("too many tensors", "the number of tensors is 65537", m.tensors.resize(65537))
REFUSED("a tensor without a name", "tensor 1: name is empty", m.tensors[1].name = "")
REFUSED("a tensor name that is too long", "name has 257 bytes", m.tensors[1].name.assign(257, 'x'))
REFUSED("a tensor name that is not UTF-8", "name is not valid UTF-8 at its byte 1", m.tensors[1].name = "a\xff")
REFUSED("a tensor name with a control character", "control character 0x1b", m.tensors[1].name = "a\x1b[2J")
UNSUPPORTED("an unknown dtype", "dtype is 3; this version knows 0 to 2", m.tensors[1].dtype = DType(3))
UNSUPPORTED("an unknown layout", "layout is 2; this version knows 0 to 1", m.tensors[1].layout = Layout(2))
REFUSED("a shape without dimensions", "shape has 0 dimensions; expected 1 or 2", m.tensors[1].shape = {})
REFUSED("a shape of three dimensions", "shape has 3 dimensions", m.tensors[0].shape = {2, 2, 9})
REFUSED("a dimension of 0", "shape[1] is 0", m.tensors[0].shape[1] = 0)
REFUSED("tiles of floats", "layout tile16x8 with dtype f32 and 2 dimensions",
        m.add_tensor({"x", DType::f32, Layout::tile16x8, {16, 8}, Bytes(512), {}}))
REFUSED("tiles of one dimension", "layout tile16x8 with dtype s8 and 1 dimensions",
        m.add_tensor({"x", DType::s8, Layout::tile16x8, {16}, Bytes(128), {}}))
REFUSED("a shape whose bytes overflow", "needs more than 2^64 bytes",
        m.add_tensor({"x", DType::f32, Layout::rows, {0xffffffff, 0xffffffff}, Bytes(64), {}}))
REFUSED("tiles whose bytes overflow", "needs more than 2^64 bytes",
        m.add_tensor({"x", DType::s8, Layout::tile16x8, {0xffffffff, 0xffffffff}, Bytes(64), {}}))
REFUSED("an offset that is not a multiple of 64", "offset is 96; expected a multiple of 64", m.tensors[0].offset = 96)
REFUSED("an offset beyond the weights", "expected to end within the", m.tensors[0].offset = uint64_t{1} << 62)
REFUSED("an offset that overflows", "at offset 18446744073709551552", m.tensors[0].offset = ~uint64_t{63})
REFUSED("a tensor that ends beyond the weights", "expected to end within the",
        m.add_tensor({"x", DType::f32, Layout::rows, {17}, Bytes(64), {}}))
REFUSED("two tensors in one place", "lies inside tensor 0", m.tensors[1].offset = 0)
REFUSED("a tensor that begins inside another", "offset 64 lies inside tensor 0", m.tensors[1].offset = 64)

// ---- Matrices ----
REFUSED("too many matrices", "the number of matrices is 65537", m.matrices.resize(65537))
REFUSED("a weight that is no tensor", "matrix 4: weight is 10000, but the model has", up(m).weight = kNobody)
REFUSED("a weight of one dimension", "the weight has 1 dimension; expected 2",
        up(m).weight = tensor_id(m, "layer.0.up.scale"))
REFUSED("a weight of s32", "the weight has dtype s32; expected f32 or s8",
        up(m).weight = m.add_tensor({"x", DType::s32, Layout::rows, {4, 4}, Bytes(64), {}}))
REFUSED("a weight with too many rows", "the weight has 1048577 rows; expected at most 1048576",
        m.matrices.push_back({m.add_tensor({"x", DType::f32, Layout::rows, {1048577, 1}, Bytes(4194308), {}})}))
REFUSED("a weight with too many columns", "the weight has 65537 columns; expected at most 65536",
        m.matrices.push_back({m.add_tensor({"x", DType::f32, Layout::rows, {1, 65537}, Bytes(262148), {}})}))
REFUSED("an s8 weight in rows", "an s8 weight has layout rows; expected tile16x8",
        up(m).weight = m.add_tensor({"x", DType::s8, Layout::rows, {44, 36}, Bytes(44 * 36), {}}))
REFUSED("an s8 weight without scale", "matrix 4 (layer.0.up.weight): scale is -1, but", up(m).scale = -1)
REFUSED("a scale that is no tensor", "scale is 10000, but", up(m).scale = kNobody)
REFUSED("a negative scale id", "scale is -7, but", up(m).scale = -7)
REFUSED("a scale of another dtype", "with dtype s32; expected f32", up(m).scale = up(m).column_sum)
REFUSED("a scale of another length", "with 44 elements; expected 48",
        up(m).scale = static_cast<int32_t>(m.add_f32("x", {44}, std::vector<float>(44))))
REFUSED("a scale of two dimensions", "with 2 dimensions; expected 1",
        up(m).scale = static_cast<int32_t>(m.add_f32("x", {48, 1}, std::vector<float>(48))))
REFUSED("an s8 weight without column sums", "column_sum is -1, but", up(m).column_sum = -1)
REFUSED("column sums of another dtype", "column_sum is tensor", up(m).column_sum = up(m).scale)
REFUSED("column sums of another length", "with 16 elements; expected 48",
        up(m).column_sum = m.matrices.at(7).column_sum)
REFUSED("a bias that is no tensor", "bias is 10000, but", up(m).bias = kNobody)
REFUSED("a bias of another dtype", "bias is tensor", up(m).bias = up(m).column_sum)
REFUSED("a bias of another length", "with 32 elements; expected 48", up(m).bias = m.matrices.at(0).bias)
REFUSED("an input scale that is no tensor", "input_scale is -2, but", up(m).input_scale = -2)
REFUSED("an input scale of another length", "with 48 elements; expected 36", up(m).input_scale = up(m).scale)
REFUSED("an f32 weight with a scale", "scale is 0, but the weight is f32", make_f32(m), up(m).scale = 0)
REFUSED("an f32 weight with column sums", "column_sum is 0, but the weight is f32", make_f32(m), up(m).column_sum = 0)
REFUSED("an f32 weight with an input scale", "input_scale is 0, but the weight is f32", make_f32(m),
        up(m).input_scale = 0)
REFUSED("an f32 bias padded as if it were s8", "with 48 elements; expected 44",
        const int32_t bias = up(m).bias; make_f32(m), up(m).bias = bias)

// ---- Norms ----
REFUSED("too many norms", "the number of norms is 65537", m.norms.resize(65537))
UNSUPPORTED("an unknown kind of norm", "norm 1: kind is 2; this version knows 0 to 1",
            m.norms[1].kind = fmt::NormKind(2))
REFUSED("a norm weight that is no tensor", "norm 1: weight is 10000, but", m.norms[1].weight = kNobody)
REFUSED("a norm weight of two dimensions", "norm 1: weight is tensor 0 with dtype s8", m.norms[1].weight = 0)
REFUSED("a norm weight of s32", "with dtype s32; expected f32",
        m.norms[1].weight = static_cast<uint32_t>(up(m).column_sum))
REFUSED("a norm bias that is no tensor", "norm 1: bias is -3, but", m.norms[1].bias = -3)
REFUSED("a norm bias of another length", "norm 1: bias is tensor", m.norms[1].bias = up(m).scale)
REFUSED("a negative epsilon", "norm 1: epsilon is -1", m.norms[1].epsilon = -1)
REFUSED("an epsilon that is not a number", "norm 1: epsilon is nan", m.norms[1].epsilon = std::nanf(""))
REFUSED("an infinite epsilon", "norm 1: epsilon is inf", m.norms[1].epsilon = std::numeric_limits<float>::infinity())

// ---- What must not be refused ----
TEST_CASE("the example, and the same in fp32, open") {
  for (const bool int8 : {false, true}) {
    std::string message;
    CHECK_MESSAGE(open_status(build_model(example(int8)), &message) == KINGLET_OK, message);
  }
}

TEST_CASE("an input scale, an f32 matrix and a matrix without bias inside an int8 model open") {
  ModelSpec m = example();
  m.matrices[5].input_scale = static_cast<int32_t>(m.add_f32("smooth", {44}, std::vector<float>(44, 1.0f)));
  m.matrices[0].bias = -1;
  make_f32(m);
  std::string message;
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
}

TEST_CASE("tensors may lie in any order, with gaps between them") {
  ModelSpec m = example();
  uint64_t end = 0;
  for (const TensorSpec& t : m.tensors) {
    end += (t.bytes.size() + 63) / 64 * 64;
  }
  m.add_tensor({"gap", DType::s8, Layout::rows, {1}, Bytes(4096), {}});
  // Each moves from its own place into what is left of the gap.
  tensor(m, "layer.0.query.scale").offset = end + 1024;
  tensor(m, "layer.0.key.scale").offset = end + 512;
  std::string message;
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
}
