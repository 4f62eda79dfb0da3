// The algebra of fold_attention: the folded model computes what the unfolded one does.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "families/family.h"
#include "fixtures.h"
#include "passes/passes.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;

using Rows = std::vector<std::vector<double>>;

Rows apply(const ModelIR& model, uint32_t matrix, const Rows& x) {
  const convert::Matrix& m = model.matrices[matrix];
  const Tensor& weight = model.tensors[m.weight];
  const std::vector<float> w = weight.read_all();
  const std::vector<float> b =
      m.bias == kNone ? std::vector<float>(weight.rows()) : model.tensors[static_cast<size_t>(m.bias)].read_all();
  Rows out(x.size(), std::vector<double>(weight.rows()));
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t n = 0; n < weight.rows(); ++n) {
      out[i][n] = b[n];
      for (size_t k = 0; k < weight.columns(); ++k) {
        out[i][n] += x[i][k] * w[n * weight.columns() + k];
      }
    }
  }
  return out;
}

// The first attention of a model and its output projection, as model.fbs defines them.
Rows attend(const ModelIR& model, const Rows& x) {
  const auto& op = std::get<AttentionOp>(model.program[1]);
  const Rows q = apply(model, op.query, x), k = apply(model, op.key, x), v = apply(model, op.value, x);
  REQUIRE(q[0].size() == op.heads * op.head_dim);
  Rows out(x.size(), std::vector<double>(q[0].size()));
  for (size_t head = 0; head < op.heads; ++head) {
    const size_t begin = head * op.head_dim, end = begin + op.head_dim;
    for (size_t i = 0; i < x.size(); ++i) {
      std::vector<double> e(x.size());
      double total = 0;
      for (size_t j = 0; j < x.size(); ++j) {
        double dot = 0;
        for (size_t d = begin; d < end; ++d) {
          dot += q[i][d] * k[j][d];
        }
        e[j] = std::exp2(dot * op.logit_scale);
        total += e[j];
      }
      for (size_t j = 0; j < x.size(); ++j) {
        for (size_t d = begin; d < end; ++d) {
          out[i][d] += e[j] / total * v[j][d];
        }
      }
    }
  }
  return apply(model, std::get<LinearOp>(model.program[2]).matrix, out);
}

TEST_CASE("folding changes no result: biases, scale, and heads filled up to whole tiles") {
  for (const uint32_t head_dim : {8u, 16u, 26u, 40u}) {
    CAPTURE(head_dim);
    const TemporaryFolder folder;
    BertShape shape;
    shape.heads = 3;
    shape.hidden = 3 * head_dim;
    write_bert(folder.path(), shape, random_bert(shape, head_dim), "BertModel");
    BuildRequest request = {
        JsonObject::load(folder / "config.json"), open_checkpoint(folder.path(), {}), "test", {}, {}, false, {}};
    ModelIR model = build_model(request);
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    Rows x(5, std::vector<double>(shape.hidden));
    for (auto& row : x) {
      std::generate(row.begin(), row.end(), [&] { return normal(random); });
    }
    const Rows before = attend(model, x);
    fold_attention(model);
    const Rows after = attend(model, x);
    const auto& op = std::get<AttentionOp>(model.program[1]);
    CHECK(op.head_dim % 16 == 0);
    CHECK(op.head_dim < head_dim + 16);
    CHECK(op.logit_scale == 1);
    CHECK(model.matrices[op.key].bias == kNone);
    CHECK(model.matrices[op.value].bias == kNone);
    CHECK(model.passes == std::vector<std::string>{"fold_attention"});
    for (size_t i = 0; i < x.size(); ++i) {
      for (size_t j = 0; j < shape.hidden; ++j) {
        CHECK(after[i][j] == doctest::Approx(before[i][j]).epsilon(1e-5));
      }
    }
  }
}

TEST_CASE("any part of a folded matrix is the same as all of it") {
  const TemporaryFolder folder;
  BertShape shape;
  shape.heads = 2;
  shape.hidden = 52;
  write_bert(folder.path(), shape, random_bert(shape, 3), "BertModel");
  BuildRequest request = {
      JsonObject::load(folder / "config.json"), open_checkpoint(folder.path(), {}), "test", {}, {}, false, {}};
  ModelIR model = build_model(request);
  fold_attention(model);
  for (const convert::Matrix& matrix : model.matrices) {
    const Tensor& weight = model.tensors[matrix.weight];
    const std::vector<float> all = weight.read_all();
    for (uint64_t first = 0; first < weight.rows(); first += 5) {
      const uint64_t count = std::min<uint64_t>(9, weight.rows() - first);
      std::vector<float> part(count * weight.columns());
      weight.source->read(first, count, part.data());
      CHECK(std::equal(part.begin(), part.end(), all.begin() + static_cast<std::ptrdiff_t>(first * weight.columns())));
    }
  }
}

}  // namespace
}  // namespace kinglet::test
