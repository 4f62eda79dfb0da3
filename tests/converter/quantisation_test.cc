// The passes to 8 bits that protect accuracy: equal ranges, rounding by what a matrix reads, layers kept in fp32.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "calibrate/activations.h"
#include "error.h"
#include "families/family.h"
#include "fixtures.h"
#include "passes/calibrate.h"
#include "passes/linear_groups.h"
#include "passes/passes.h"
#include "passes/round_matrix.h"
#include "passes/rounding.h"
#include "passes/sensitivity.h"
#include "passes/smoothing.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;

struct Built {
  TemporaryFolder folder;
  ModelIR model;

  Built(const BertShape& shape, const std::function<void(Tensors&)>& change) {
    Tensors tensors = random_bert(shape, 11);
    change(tensors);
    write_bert(folder.path(), shape, tensors, "BertModel");
    BuildRequest request = {
        JsonObject::load(folder / "config.json"), open_checkpoint(folder.path(), {}), "test", {}, {}, false, {}};
    model = build_model(request);
    fold_attention(model);
  }
};

std::vector<CalibrationInput> id_inputs(const BertShape& shape, size_t count) {
  std::mt19937 random(3);
  std::vector<CalibrationInput> inputs(count);
  for (CalibrationInput& input : inputs) {
    for (size_t i = 0; i < 4 + random() % 8; ++i) {
      input.ids.push_back(static_cast<int32_t>(random() % shape.vocabulary));
    }
  }
  return inputs;
}

std::vector<float> answers(const ModelIR& model, const std::vector<CalibrationInput>& inputs) {
  std::vector<float> all;
  WatchedModel(model, nullptr, {answer_value(model)}, {}).run(inputs, [&](const ValueRows& rows) {
    all.insert(all.end(), rows.data, rows.data + rows.rows * rows.width);
  });
  return all;
}

double difference(const std::vector<float>& a, const std::vector<float>& b) {
  double error = 0, squares = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    error += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    squares += static_cast<double>(a[i]) * a[i];
  }
  return std::sqrt(error / squares);
}

void spread_values(Tensors& tensors) {
  const auto hidden = static_cast<size_t>(tensors.at("encoder.layer.0.attention.self.value.weight").shape[1]);
  for (const size_t channel : {3u, 17u}) {
    for (size_t j = 0; j < hidden; ++j) {
      tensors.at("encoder.layer.0.attention.self.value.weight").values[channel * hidden + j] *= 1024;
      tensors.at("encoder.layer.0.attention.output.dense.weight").values[j * hidden + channel] /= 1024;
    }
    tensors.at("encoder.layer.0.attention.self.value.bias").values[channel] *= 1024;
  }
}

TEST_CASE("value channels far larger than the others are brought back, without a change to fp32") {
  const BertShape shape;
  Built plain(shape, [](Tensors&) {}), spread(shape, spread_values);
  const std::vector<CalibrationInput> inputs = id_inputs(shape, 8);
  ModelIR equal = spread.model;
  equalize_attention(equal);
  CHECK(equal.passes.back() == "equalize_attention");
  CHECK(answers(equal, inputs) == answers(spread.model, inputs));

  const std::vector<float> wanted = answers(plain.model, inputs);
  quantize(spread.model, {});
  quantize(equal, {});
  CHECK(difference(wanted, answers(spread.model, inputs)) > 0.05);
  CHECK(difference(wanted, answers(equal, inputs)) < 0.02);
}

TEST_CASE("triangular factors and what is solved by them") {
  const size_t n = 117;  // more than two blocks
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Grid x(3 * n, n);
  std::generate(x.data.begin(), x.data.end(), [&] { return normal(random); });
  Grid h(n, n);
  add_outer(x.data.data(), n, x.data.data(), n, x.rows, &h);
  UpperFactor factor;
  REQUIRE(factor_upper(h, &factor));
  const Grid again = product(factor.r, factor.r);
  double worst = 0;
  for (size_t i = 0; i < n * n; ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(again.data[i]) - h.data[i]));
  }
  CHECK(worst < 1e-2);
  for (size_t i = 1; i < n; ++i) {
    CHECK(factor.r.row(i)[i - 1] == 0);
    CHECK(h.row(i)[0] == h.row(0)[i]);
  }
  Grid z(5, n);
  std::generate(z.data.begin(), z.data.end(), [&] { return normal(random); });
  Grid y = product(z, h);
  solve_rows(factor, &y);
  CHECK(difference(z.data, y.data) < 1e-3);
  h.row(60)[60] = -1;
  CHECK_FALSE(factor_upper(h, &factor));
}

TEST_CASE("rounding by the inputs errs less where inputs are correlated, and undoes drift") {
  const size_t n = 20, k = 64, count = 1000;
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  Grid x(count, k), w(n, k);
  for (size_t i = 0; i < count; ++i) {
    const float common = normal(random);
    for (size_t j = 0; j < k; ++j) {
      x.row(i)[j] = 0.3f * normal(random) + common;
    }
  }
  std::generate(w.data.begin(), w.data.end(), [&] { return normal(random); });
  // What is seen is 5 % too small.
  Grid seen = x, drift = x;
  InputMoments moments = {Grid(k, k), Grid(k, k), std::vector<double>(k), std::vector<double>(k), count};
  for (size_t i = 0; i < seen.data.size(); ++i) {
    seen.data[i] *= 0.95f;
    drift.data[i] -= seen.data[i];
  }
  add_outer(seen.data.data(), k, seen.data.data(), k, count, &moments.squares);
  add_outer(drift.data.data(), k, seen.data.data(), k, count, &moments.drift);
  const RoundedMatrix rounded = round_matrix(w, moments);
  Grid ours(n, k), plain(n, k);
  std::vector<int8_t> q(k);
  for (size_t i = 0; i < n; ++i) {
    int32_t sum = 0;
    const float scale = round_row(w.row(i), k, q.data(), &sum);
    for (size_t j = 0; j < k; ++j) {
      CHECK(rounded.q[i * k + j] >= -127);
      ours.row(i)[j] = rounded.scales[i] * rounded.q[i * k + j];
      plain.row(i)[j] = scale * q[j];
    }
  }
  const Grid wanted = product(x, w);
  // Drift in what all inputs share is undone but for what damping leaves of it: plain rounding keeps all of it.
  CHECK(difference(wanted.data, product(seen, ours).data) < 0.4 * difference(wanted.data, product(seen, plain).data));

  // Without drift: what correlation alone is worth.
  InputMoments still = {Grid(k, k), Grid(k, k), std::vector<double>(k), std::vector<double>(k), count};
  add_outer(x.data.data(), k, x.data.data(), k, count, &still.squares);
  const RoundedMatrix by_columns = round_matrix(w, still);
  for (size_t i = 0; i < n * k; ++i) {
    ours.data[i] = by_columns.scales[i / k] * by_columns.q[i];
  }
  CHECK(difference(wanted.data, product(x, ours).data) < 0.7 * difference(wanted.data, product(x, plain).data));
}

TEST_CASE("input scales are chosen for outliers and not without them") {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  Grid x(64, 48), w(32, 48);
  std::generate(x.data.begin(), x.data.end(), [&] { return normal(random); });
  std::generate(w.data.begin(), w.data.end(), [&] { return normal(random); });
  const std::vector<float> even = choose_input_scale(x, w, 1);  // none, or one that changes little
  CHECK((even.empty() || even[7] > 0.3f * even[6]));
  for (size_t i = 0; i < x.rows; ++i) {
    x.row(i)[7] *= 100;
  }
  const std::vector<float> scale = choose_input_scale(x, w, 1);
  REQUIRE(scale.size() == 48);
  CHECK(scale[7] < 0.2f * scale[6]);
}

TEST_CASE("a calibrated model is nearer to fp32, shares its inputs' scales, and is the same every time") {
  BertShape shape;
  shape.hidden = 64;
  shape.heads = 4;
  shape.layers = 2;
  shape.intermediate = 96;
  // Outliers, as trained models have them: a few channels of every norm.
  Built built(shape, [](Tensors& tensors) {
    for (auto& [name, tensor] : tensors) {
      if (name.ends_with("LayerNorm.weight")) {
        tensor.values[5] *= 40;
        tensor.values[40] *= 25;
      }
    }
  });
  const ModelIR& exact = built.model;
  ModelIR plain = exact;
  quantize(plain, {});
  ModelIR ours = plain, again = plain;
  const CalibrateOptions options = {id_inputs(shape, 120), "120 of them", [](double) {}};
  calibrate(ours, exact, nullptr, options);
  calibrate(again, exact, nullptr, options);
  const std::vector<CalibrationInput> others = id_inputs(shape, 20);
  const std::vector<float> wanted = answers(exact, others);
  const double of_plain = difference(wanted, answers(plain, others)),
               of_ours = difference(wanted, answers(ours, others));
  CAPTURE(of_plain);
  CAPTURE(of_ours);
  CHECK(of_ours < 0.85 * of_plain);
  CHECK(answers(ours, others) == answers(again, others));
  CHECK(ours.passes.back() == "calibrate(120 of them)");
  const auto& attention = std::get<AttentionOp>(ours.program[1]);
  CHECK(ours.matrices[attention.query].input_scale != kNone);
  CHECK(ours.matrices[attention.query].input_scale == ours.matrices[attention.key].input_scale);
  CHECK(ours.matrices[attention.query].input_scale == ours.matrices[attention.value].input_scale);

  // Kept in fp32, a matrix is what it was.
  keep_exact(ours, exact, attention.query);
  CHECK(ours.matrices[attention.query].input_scale == kNone);
  CHECK(ours.weight_of(attention.query).storage == Storage::f32);
  CHECK(ours.weight_of(attention.query).read_all() == exact.weight_of(attention.query).read_all());
}

TEST_CASE("the fewest matrices are kept, the most sensitive first") {
  const BertShape shape;
  Built built(shape, [](Tensors&) {});
  const ModelIR& exact = built.model;
  ModelIR rounded = exact;
  quantize(rounded, {});
  const std::vector<LinearGroup> groups = find_linear_groups(rounded);
  CHECK(groups.size() == 4 + 1);  // and the pooler's
  std::vector<MatrixSensitivity> list;
  for (const LinearGroup& group : groups) {
    for (const uint32_t matrix : group.matrices) {
      list.push_back({matrix, static_cast<double>((list.size() * 5) % 7)});
    }
  }
  const auto loss = [&](const ModelIR& model) {
    double total = 0;
    for (const MatrixSensitivity& entry : list) {
      total += model.weight_of(entry.matrix).storage == Storage::f32 ? 0 : entry.error;
    }
    return total;
  };
  for (const double most : {100.0, 20.0, 15.0, 14.0, 9.0, 3.0, 0.0}) {
    ModelIR model = rounded;
    const KeptMatrices kept = keep_most_sensitive(model, exact, list, most, loss);
    CAPTURE(most);
    CHECK(kept.loss == loss(model));
    CHECK(kept.loss <= most);
    if (!kept.matrices.empty()) {
      ModelIR fewer = rounded;
      for (size_t i = 0; i + 1 < kept.matrices.size(); ++i) {
        keep_exact(fewer, exact, kept.matrices[i]);
      }
      CHECK(loss(fewer) > most);
    }
  }
  ModelIR model = rounded;
  CHECK_THROWS_WITH_AS(keep_most_sensitive(model, exact, list, -1, loss),
                       doctest::Contains("even with every matrix in fp32 the loss is 0, expected at most -1"),
                       convert::Error);
}

TEST_CASE("sensitivity: one error for each matrix, from its rounding alone") {
  const BertShape shape;
  Built built(shape, [](Tensors&) {});
  ModelIR rounded = built.model;
  quantize(rounded, {});
  const std::vector<MatrixSensitivity> list =
      measure_sensitivity(rounded, built.model, nullptr, id_inputs(shape, 4), [](double) {});
  CHECK(list.size() == 7);
  for (const MatrixSensitivity& entry : list) {
    const std::string& name = built.model.matrices[entry.matrix].name;
    CAPTURE(name);
    // The answer is the hidden states: the pooler behind them changes nothing, but for XNNPACK's last bits.
    CHECK((entry.error > 1e-5) == (name != "pooler.dense"));
    CHECK(entry.error < 0.1);
  }
}

}  // namespace
}  // namespace kinglet::test
