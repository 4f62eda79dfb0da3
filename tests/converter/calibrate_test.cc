// Calibration: the texts it reads, and the numbers inside a model that it shows.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "calibrate/activations.h"
#include "error.h"
#include "families/family.h"
#include "fixtures.h"
#include "ir/cut.h"
#include "passes/passes.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

using namespace kinglet::convert;

std::string texts_error(const TemporaryFolder& folder, const std::string& content) {
  write_file(folder / "t.txt", content);
  try {
    read_calibration_texts(folder / "t.txt", false);
  } catch (const convert::Error& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("calibration texts: tables without labels, pairs together and apart, plain lines") {
  const TemporaryFolder folder;
  write_file(folder / "a.tsv", "text\tother\none\tx\ntwo\ty\n");
  CHECK(read_calibration_texts(folder / "a.tsv", false).inputs[1].text == "two");
  write_file(folder / "b.tsv", "label\tsentence1\tsentence2\n1\tone\ttwo\n");
  const CalibrationTexts pair = read_calibration_texts(folder / "b.tsv", false);
  REQUIRE(pair.inputs.size() == 1);
  CHECK(pair.inputs[0].pair == "two");
  const CalibrationTexts apart = read_calibration_texts(folder / "b.tsv", true);
  REQUIRE(apart.inputs.size() == 2);
  CHECK((!apart.inputs[0].pair && apart.inputs[1].text == "two"));
  write_file(folder / "c", "\xef\xbb\xbfone\r\n\ntwo words");
  const CalibrationTexts plain = read_calibration_texts(folder / "c", false);
  REQUIRE(plain.inputs.size() == 2);
  CHECK((plain.inputs[0].text == "one" && plain.inputs[1].text == "two words"));
  write_file(folder / "d.conll", "A\tO\nkinglet\tO\n\n");
  CHECK(read_calibration_texts(folder / "d.conll", false).inputs[0].text == "A kinglet");

  CHECK(texts_error(folder, "one\ntwo\tthree\n")
            .ends_with("t.txt:2: the line has a TAB; expected a text a line, or a header line with the columns text, "
                       "or sentence1 and "
                       "sentence2"));
  CHECK(texts_error(folder, "\n\n").ends_with("has no texts; expected at least one"));
}

TEST_CASE("texts are drawn without repetition, by the seed") {
  CalibrationTexts texts;
  for (int i = 0; i < 100; ++i) {
    texts.inputs.push_back({std::to_string(i), {}, {}, {}});
  }
  const auto names = [&](size_t count, uint64_t seed) {
    std::vector<int> numbers;
    for (const CalibrationInput& input : draw_inputs(texts, count, seed)) {
      numbers.push_back(std::stoi(input.text));
    }
    return numbers;
  };
  const std::vector<int> drawn = names(10, 1);
  CHECK(drawn.size() == 10);
  CHECK(std::adjacent_find(drawn.begin(), drawn.end(), std::greater_equal<int>()) == drawn.end());
  CHECK(drawn == names(10, 1));
  CHECK(drawn != names(10, 2));
  CHECK(names(1000, 3).size() == 100);
}

TEST_CASE("a watched model shows the rows of chosen values, which make each other") {
  const TemporaryFolder folder;
  BertShape shape;
  shape.layers = 2;
  write_bert(folder.path(), shape, random_bert(shape, 5), "BertModel");
  BuildRequest request = {
      JsonObject::load(folder / "config.json"), open_checkpoint(folder.path(), {}), "test", {}, {}, false, {}};
  ModelIR model = build_model(request);
  fold_attention(model);
  // The first layer's attention output projection: its input, and what it makes of it.
  const auto& linear = std::get<LinearOp>(model.program[2]);
  std::vector<CalibrationInput> inputs(20);
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t j = 0; j <= i % 7; ++j) {
      inputs[i].ids.push_back(static_cast<int32_t>((i * 5 + j * 3) % shape.vocabulary));
    }
  }
  WatchedModel watched(model, nullptr, {linear.in, linear.out}, {});
  const std::vector<float> w = model.weight_of(linear.matrix).read_all();
  const std::vector<float> b = model.tensors[static_cast<size_t>(model.matrices[linear.matrix].bias)].read_all();
  std::vector<float> in;
  size_t seen = 0;
  watched.run(inputs, [&](const ValueRows& rows) {
    CHECK(rows.input == seen / 2);
    CHECK(rows.which == seen % 2);
    CHECK(rows.rows == inputs[rows.input].ids.size());
    CHECK(rows.width == shape.hidden);
    ++seen;
    if (rows.which == 0) {
      in.assign(rows.data, rows.data + rows.rows * rows.width);
      return;
    }
    double worst = 0;
    for (size_t i = 0; i < rows.rows; ++i) {
      for (size_t n = 0; n < shape.hidden; ++n) {
        double sum = b[n];
        for (size_t k = 0; k < shape.hidden; ++k) {
          sum += static_cast<double>(in[i * shape.hidden + k]) * w[n * shape.hidden + k];
        }
        worst = std::max(worst, std::abs(sum - rows.data[i * shape.hidden + n]));
      }
    }
    CHECK(worst < 1e-5);
  });
  CHECK(seen == 2 * inputs.size());

  inputs[18].ids = {static_cast<int32_t>(shape.vocabulary)};
  CHECK_THROWS_WITH_AS(watched.run(inputs, [](const ValueRows&) {}), doctest::Contains("calibration texts 17 to 20: "),
                       convert::Error);
}

TEST_CASE("a model is cut to what its values need") {
  const TemporaryFolder folder;
  BertShape shape;
  shape.layers = 3;
  write_bert(folder.path(), shape, random_bert(shape, 5), "BertModel");
  BuildRequest request = {
      JsonObject::load(folder / "config.json"), open_checkpoint(folder.path(), {}), "test", {}, {}, false, {}};
  const ModelIR model = build_model(request);
  const ModelIR cut = cut_to_values(model, {std::get<AttentionOp>(model.program[1]).out});
  CHECK(cut.program.size() == 2);
  CHECK(cut.matrices.size() == 3);
  CHECK(cut.norms.size() == 1);
  CHECK(cut.values.size() == 2);
}

}  // namespace
}  // namespace kinglet::test
