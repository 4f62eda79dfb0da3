// One test per way in which the program and its values can be wrong.
#include <cmath>
#include <limits>

#include "format/example.h"

namespace {
using namespace kinglet;
using namespace kinglet::test;
using kinglet::fmt::Extent;

constexpr uint32_t kNobody = 10000;

EmbedTableSpec& embed_table(ModelSpec& m, size_t i) { return op<EmbedSpec>(m, 0).tables.at(i); }
AttentionSpec& attention(ModelSpec& m) { return op<AttentionSpec>(m, 1); }
LinearSpec& up(ModelSpec& m) { return op<LinearSpec>(m, 4); }
AddNormSpec& add_norm(ModelSpec& m) { return op<AddNormSpec>(m, 3); }

uint32_t zeros(ModelSpec& m, uint32_t n, uint32_t k) {
  return m.add_f32("zeros", {n, k}, std::vector<float>(size_t{n} * k));
}
uint32_t zero_matrix(ModelSpec& m, uint32_t n, uint32_t k) {
  m.matrices.push_back({zeros(m, n, k), -1, -1, -1, -1});
  return static_cast<uint32_t>(m.matrices.size() - 1);
}
}  // namespace

// ---- Values and steps ----
REFUSED("no values", "the number of values is 0", m.values.clear())
REFUSED("too many values", "the number of values is 65537", m.values.resize(65537))
REFUSED("a width of 0", "value 2: width is 0; expected 1 to 1048576", m.values[2].width = 0)
REFUSED("a width beyond the limit", "value 2: width is 1048577", m.values[2].width = 1048577)
UNSUPPORTED("an unknown extent", "value 2: extent is 2; this version knows 0 to 1", m.values[2].extent = Extent(2))
REFUSED("no steps", "the number of program steps is 0", m.program.clear())
REFUSED("too many steps", "the number of program steps is 65537", m.program.resize(65537))
REFUSED("a step of no operation", "program[4]: op_type is 0", m.program[4].type = fmt::Op::NONE)
UNSUPPORTED("an unknown operation", "program[4]: operation 8; this version knows 1 (Embed) to 7 (Neighbours)",
            m.program[4].type = fmt::Op(8))
REFUSED("a value that no step writes", "value 10: no step of the program writes it", m.add_value(Extent::tokens, 4))
REFUSED("a value written twice", "out is value 2, which an earlier step has written", up(m).out = 2)
REFUSED("a value read before it is written", "in is value 5, which no earlier step writes", up(m).in = 5)
REFUSED("a step that reads what it writes", "program[4] (Linear): in is value 4, which no earlier step", up(m).in = 4)

// ---- Embed ----
REFUSED("embed without tables", "program[0] (Embed): has 0 tables; expected 1 to 16",
        op<EmbedSpec>(m, 0).tables.clear())
REFUSED("embed with too many tables", "has 17 tables", op<EmbedSpec>(m, 0).tables.resize(17, embed_table(m, 0)))
REFUSED("embed into nothing", "program[0] (Embed): out is 10000, but the model has 10 values",
        op<EmbedSpec>(m, 0).out = kNobody)
REFUSED("embed into sequences", "out is value 0 with extent sequences; the step makes tokens",
        m.values[0].extent = Extent::sequences)
UNSUPPORTED("an unknown embedding index", "program[0] (Embed) table 1: index is 6",
            embed_table(m, 1).index = fmt::EmbedIndex(6))
REFUSED("counted positions without a padding token", "base is 0 in a table of counted_positions",
        embed_table(m, 1).index = fmt::EmbedIndex::counted_position)
REFUSED("an embedding table that is no tensor", "table 0: table is 10000, but", embed_table(m, 0).table = kNobody)
REFUSED("an embedding table of one dimension", "with 1 dimension; expected 2",
        embed_table(m, 0).table = tensor_id(m, "embeddings.norm.bias"))
REFUSED("an embedding table of s32", "with dtype s32; expected f32 or s8",
        embed_table(m, 0).table = m.add_tensor({"x", fmt::DType::s32, fmt::Layout::rows, {40, 36}, Bytes(5760), {}}))
REFUSED("an embedding table of another width", "with 37 columns from column 0 on; out has width 36",
        embed_table(m, 0) = EmbedTableSpec{fmt::EmbedIndex::token, zeros(m, 40, 37)})
REFUSED("an embedding table that begins too far right", "with 35 columns from column 2 on; out has width 36",
        embed_table(m, 0) = EmbedTableSpec{fmt::EmbedIndex::next_token, zeros(m, 40, 35), -1, 0, 2})
REFUSED("an embedding table that begins beyond the sum", "from column 4294967295 on; out has width 36",
        embed_table(m, 0).column = 0xffffffff)
REFUSED("fewer rows of neighbours than the vocabulary", "with 39 rows; expected at least 40 (vocabulary)",
        embed_table(m, 0) = EmbedTableSpec{fmt::EmbedIndex::previous_token, zeros(m, 39, 36)})
REFUSED("a base in a table of next tokens", "base is 1 in a table of next_tokens; expected 0",
        embed_table(m, 0).index = fmt::EmbedIndex::next_token;
        embed_table(m, 0).base = 1)
REFUSED("an s8 embedding table without scale", "table 0: scale is -1, but", embed_table(m, 0).scale = -1)
REFUSED("an embedding scale of another length", "elements; expected 40",
        embed_table(m, 0).scale = embed_table(m, 1).scale)
REFUSED("an f32 embedding table with a scale", "scale is 0, but the table is f32; expected -1",
        embed_table(m, 0) = EmbedTableSpec{fmt::EmbedIndex::token, zeros(m, 40, 36), 0})
REFUSED("a base in a table of tokens", "base is 1 in a table of tokens; expected 0", embed_table(m, 0).base = 1)
REFUSED("a base in a table of types", "base is 1 in a table of types; expected 0", embed_table(m, 2).base = 1)
REFUSED("fewer rows than the vocabulary", "with 40 rows; expected at least 41 (vocabulary)", m.vocabulary = 41)
REFUSED("fewer rows than types", "with 2 rows; expected at least 3 (type_count)", m.type_count = 3)
REFUSED("fewer rows than positions", "with 16 rows; expected at least 17 (max_positions + base)", m.max_positions = 17)
REFUSED("fewer rows than positions and base", "with 16 rows; expected at least 18", embed_table(m, 1).base = 2)
REFUSED("a base that overflows 32 bits", "expected at least 4294967311", embed_table(m, 1).base = 0xffffffff)
REFUSED("more tokens than positions", "max_length is 17; expected at most max_positions, 16", m.max_length = 17)
REFUSED("an embedding norm that does not exist", "norm is 10000, but the model has 3 norms",
        op<EmbedSpec>(m, 0).norm = kNobody)
REFUSED("an embedding norm of another width", "norm is norm 3 of width 20; its input has width 36",
        m.norms.push_back({fmt::NormKind::layer, m.add_f32("x", {20}, std::vector<float>(20))});
        op<EmbedSpec>(m, 0).norm = 3)

// ---- Linear ----
REFUSED("a linear input that does not exist", "program[4] (Linear): in is 10000, but the model has 10 values",
        up(m).in = kNobody)
REFUSED("a linear matrix that does not exist", "matrix is 10000, but the model has 8 matrices", up(m).matrix = kNobody)
REFUSED("a linear matrix with other columns", "matrix is matrix 5 with 44 columns; its input has width 36",
        up(m).matrix = 5)
REFUSED("a linear output that does not exist", "out is 10000, but", up(m).out = kNobody)
REFUSED("a linear output of another width", "out is value 4 with width 45; the step makes 44", m.values[4].width = 45)
REFUSED("a linear output of another extent", "out is value 4 with extent sequences; the step makes tokens",
        m.values[4].extent = Extent::sequences)
REFUSED("a gate that does not exist", "gate is 10000, but the model has 8 matrices", up(m).gate = kNobody)
REFUSED("a negative gate", "gate is -2, but", up(m).gate = -2)
REFUSED("a gate with other columns", "gate is matrix 5 with 44 columns; its input has width 36", up(m).gate = 5)
REFUSED("a gate with other rows", "gate is matrix 0 with 32 rows; expected 44", up(m).gate = 0)
UNSUPPORTED("an unknown activation", "activation is 7; this version knows 0 to 6",
            up(m).activation = fmt::Activation(7))

// ---- Attention ----
REFUSED("no heads", "program[1] (Attention): heads is 0; expected 1 to 1024", attention(m).heads = 0)
REFUSED("too many heads", "heads is 1025", attention(m).heads = 1025)
REFUSED("a head dimension of 0", "head_dim is 0 with 2 heads", attention(m).head_dim = 0)
REFUSED("heads and dimensions beyond the limit", "head_dim is 32769 with 2 heads", attention(m).head_dim = 32769)
REFUSED("heads and dimensions that overflow", "head_dim is 4294967295 with 2 heads", attention(m).head_dim = 0xffffffff)
REFUSED("quantized attention with a head dimension that is no multiple of 16", "head_dim is 8; quantized attention",
        attention(m).heads = 4, attention(m).head_dim = 8)
REFUSED("a logit scale that is not a number", "logit_scale is nan", attention(m).logit_scale = std::nanf(""))
REFUSED("an infinite logit scale", "logit_scale is inf",
        attention(m).logit_scale = std::numeric_limits<float>::infinity())
REFUSED("a query input that does not exist", "query_in is 10000, but", attention(m).query_in = kNobody)
REFUSED("a key input that does not exist", "key_in is 10000, but", attention(m).key_in = kNobody)
REFUSED("a value input that is not yet written", "value_in is value 3, which no earlier", attention(m).value_in = 3)
REFUSED("a query matrix that does not exist", "query is 10000, but", attention(m).query = kNobody)
REFUSED("a key matrix that does not exist", "key is 10000, but", attention(m).key = kNobody)
REFUSED("a value matrix that does not exist", "value is 10000, but", attention(m).value = kNobody)
REFUSED("a query matrix with other columns", "query is matrix 3 with 32 columns; its input has width 36",
        attention(m).query = 3)
REFUSED("a key matrix with other rows", "key is matrix 4 with 44 rows; expected 32", attention(m).key = 4)
REFUSED("a value matrix with other rows", "value is matrix 4 with 44 rows; expected 32", attention(m).value = 4)
REFUSED("fewer heads than the matrices have rows", "query is matrix 0 with 32 rows; expected 16",
        attention(m).heads = 1)
REFUSED("an attention output of another width", "out is value 1 with width 48; the step makes 32",
        m.values[1].width = 48)
REFUSED("attention over sequences", "program[10] (Attention): query_in has extent sequences; expected tokens",
        AttentionSpec a = attention(m); a.query_in = 7; a.out = m.add_value(Extent::tokens, 32);
        m.program.push_back({a, {}}))

// ---- AddNorm ----
REFUSED("an add-norm input that does not exist", "program[3] (AddNorm): in is 10000, but", add_norm(m).in = kNobody)
REFUSED("a residual that does not exist", "residual is 10000, but", add_norm(m).residual = kNobody)
REFUSED("a negative residual", "residual is -2, but", add_norm(m).residual = -2)
REFUSED("a residual of another width", "residual is tokens × 32; in is tokens × 36", add_norm(m).residual = 1)
REFUSED("a residual of another extent", "program[10] (AddNorm): residual is tokens × 36; in is sequences × 36",
        m.program.push_back({AddNormSpec{7, 0, 0, m.add_value(Extent::sequences, 36)}, {}}))
REFUSED("a norm that does not exist", "norm is -5, but", add_norm(m).norm = -5)
REFUSED("neither residual nor norm", "has neither residual nor norm", add_norm(m).residual = -1, add_norm(m).norm = -1)
REFUSED("an add-norm output of another width", "out is value 3 with width 37; the step makes 36",
        m.values[3].width = 37)

// ---- Pool and Normalize ----
REFUSED("a pool input that does not exist", "program[7] (Pool): in is 10000, but", op<PoolSpec>(m, 7).in = kNobody)
UNSUPPORTED("an unknown kind of pool", "program[7] (Pool): kind is 4; this version knows 0 to 3",
            op<PoolSpec>(m, 7).kind = fmt::PoolKind(4))
REFUSED("a pool of sequences", "program[10] (Pool): in has extent sequences; expected tokens",
        m.program.push_back({PoolSpec{7, fmt::PoolKind::mean, m.add_value(Extent::sequences, 36)}, {}}))
REFUSED("a pool into tokens", "out is value 7 with extent tokens; the step makes sequences",
        m.values[7].extent = Extent::tokens)
REFUSED("a pool of another width", "out is value 7 with width 35; the step makes 36", m.values[7].width = 35)
REFUSED("a normalize input that does not exist", "program[10] (Normalize): in is 10000, but",
        m.program.push_back({NormalizeSpec{kNobody, m.add_value(Extent::sequences, 36)}, {}}))
REFUSED("a normalize output of another extent", "out is value 10 with extent tokens; the step makes sequences",
        m.program.push_back({NormalizeSpec{7, m.add_value(Extent::tokens, 36)}, {}}))
REFUSED("a normalize output of another width", "out is value 10 with width 37; the step makes 36",
        m.program.push_back({NormalizeSpec{7, m.add_value(Extent::sequences, 37)}, {}}))

// ---- What must not be refused ----
namespace {
void check_opens(const ModelSpec& m) {
  std::string message;
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
}
}  // namespace

TEST_CASE("a gate, the plain sum and the plain norm open") {
  ModelSpec m = example();
  up(m).gate = 4;
  add_norm(m).norm = -1;
  op<AddNormSpec>(m, 6).residual = -1;
  check_opens(m);
}

TEST_CASE("a position table with a base, and one that is longer than needed, open") {
  ModelSpec m = example();
  embed_table(m, 1).base = 2;
  m.max_positions = 14;
  m.max_length = 13;
  check_opens(m);
}

TEST_CASE("attention with three inputs of different widths opens") {
  ModelSpec m = example();
  const uint32_t narrow = m.add_value(Extent::tokens, 20);
  const uint32_t out = m.add_value(Extent::tokens, 12);
  m.program.push_back({LinearSpec{6, zero_matrix(m, 20, 36), -1, fmt::Activation::relu, narrow}, {}});
  AttentionSpec bottleneck;
  bottleneck.query_in = bottleneck.key_in = narrow;
  bottleneck.value_in = 6;
  bottleneck.query = bottleneck.key = zero_matrix(m, 12, 20);
  bottleneck.value = zero_matrix(m, 12, 36);
  bottleneck.heads = 3;
  bottleneck.head_dim = 4;
  bottleneck.out = out;
  m.program.push_back({bottleneck, {}});
  check_opens(m);
}
