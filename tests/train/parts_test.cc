// The parts of training that need no libtorch: order, rates, state files, students, data.
#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <numeric>
#include <set>

#include "error.h"
#include "support/temporary.h"
#include "train/batches.h"
#include "train/examples.h"
#include "train/journal.h"
#include "train/numbers.h"
#include "train/plan.h"
#include "train/settings.h"
#include "train/start.h"
#include "train/state_file.h"
#include "train/student.h"
#include "train/transplant.h"

namespace kinglet::test {
namespace {

using namespace train;

std::vector<Example> examples_of_lengths(size_t count) {
  std::vector<Example> examples(count);
  Random random(7);
  for (Example& example : examples) {
    example.ids.assign(1 + random.below(60), 1);
    example.types.assign(example.ids.size(), 0);
  }
  return examples;
}

TEST_CASE("an epoch has every example once, in batches of similar lengths, and follows from seed and number") {
  const std::vector<Example> examples = examples_of_lengths(1003);
  const auto batches = epoch_batches(examples, 16, 5, 2);
  std::set<size_t> seen;
  size_t cells = 0, tokens = 0;
  for (const auto& batch : batches) {
    size_t longest = 0;
    for (const size_t place : batch) {
      CHECK(seen.insert(place).second);
      longest = std::max(longest, examples[place].ids.size());
      tokens += examples[place].ids.size();
    }
    cells += longest * batch.size();
  }
  CHECK(seen.size() == examples.size());
  CHECK(cells < tokens * 11 / 10);
  CHECK(epoch_batches(examples, 16, 5, 2) == batches);
  CHECK(epoch_batches(examples, 16, 5, 3) != batches);
  CHECK(epoch_batches(examples, 16, 6, 2) != batches);
}

TEST_CASE("rates rise, fall to nearly nothing, and reach frozen groups one at a time") {
  Settings settings;
  settings.rate = 1;
  settings.warmup = 0.1;
  settings.layer_decay = 0.5;
  Plan plan = make_plan(settings, 100, 4);
  CHECK(plan.steps == 300);
  CHECK(rates_at(settings, plan, 0)[3] == doctest::Approx(1.0 / 30));
  CHECK(rates_at(settings, plan, 29)[3] == doctest::Approx(1.0));
  CHECK(rates_at(settings, plan, 299)[3] > 0);
  CHECK(rates_at(settings, plan, 299)[3] < 0.01);
  CHECK(rates_at(settings, plan, 29)[1] == doctest::Approx(0.25));
  settings.train = "head";
  CHECK(rates_at(settings, plan, 290)[2] == 0);
  settings.train = "gradual";
  std::vector<uint64_t> unfrozen;
  for (uint64_t step = 0; step < plan.steps; ++step) {
    const auto rates = rates_at(settings, plan, step);
    const auto learning =
        static_cast<size_t>(std::count_if(rates.begin(), rates.end(), [](double r) { return r > 0; }));
    while (unfrozen.size() < learning) {
      unfrozen.push_back(step);
    }
    CHECK(rates.back() > 0);
  }
  REQUIRE(unfrozen.size() == 4);
  CHECK(unfrozen[0] == 0);
  CHECK(unfrozen[1] > 0);
  CHECK(unfrozen[3] < 150);
}

TEST_CASE("a state file gives back what was written, and refuses damage and other models") {
  const TemporaryFolder folder;
  const auto path = folder / "state";
  const std::vector<StateArray> arrays = {{"a", 3}, {"b", 100}};
  std::vector<std::vector<float>> numbers = {{1, 2, 3}, std::vector<float>(100)};
  std::iota(numbers[1].begin(), numbers[1].end(), 0.5f);
  CHECK_FALSE(read_state(path, arrays, [](size_t, std::vector<float>) {}));
  write_state(path, {{"step", 7}}, arrays, [&](size_t i) { return numbers[i]; });
  std::vector<std::vector<float>> back(2);
  const auto facts = read_state(path, arrays, [&](size_t i, std::vector<float> read) { back[i] = std::move(read); });
  REQUIRE(facts);
  CHECK((*facts)["step"] == 7);
  CHECK(back == numbers);
  const auto ignore = [](size_t, std::vector<float>) { FAIL("nothing may be given out"); };
  CHECK_THROWS_WITH(read_state(path, {{"a", 3}, {"b", 99}}, ignore), doctest::Contains("another model"));

  std::ifstream in(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(in), {}};
  for (const size_t size : {size_t{0}, size_t{10}, size_t{24}, bytes.size() - 1}) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    CHECK_THROWS_AS(read_state(path, arrays, ignore), convert::Error);
  }
  for (size_t at = 0; at < bytes.size(); at += 7) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    std::ofstream(path, std::ios::binary) << damaged;
    CHECK_THROWS_AS(read_state(path, arrays, ignore), convert::Error);
  }
}

TEST_CASE("a journal forgets steps that are done again, and lines cut short") {
  const TemporaryFolder folder;
  const auto path = folder / "log.jsonl";
  std::ofstream(path) << "{\"step\":10}\n{\"step\":20}\n{\"step\":30}\n{\"ste";
  Journal journal(path, 20);
  journal.write({{"step", 25}});
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  CHECK(text == "{\"step\":10}\n{\"step\":20}\n{\"step\":25}\n");
}

TEST_CASE("settings survive JSON, and what two runs must share is told apart") {
  Settings settings;
  settings.data = {"a.tsv"};
  settings.dropout = 0.25;
  settings.rate = 1e-4;
  settings.seed = UINT64_MAX;
  const Settings back = settings_from_json(convert::JsonObject(to_json(settings), "test"));
  CHECK(to_json(back) == to_json(settings));
  Settings other = settings;
  other.checkpoint_minutes = 1;
  other.fresh = true;
  CHECK(fingerprint(other) == fingerprint(settings));
  other.rate = 2e-4;
  CHECK(fingerprint(other) != fingerprint(settings));
  convert::Json json = to_json(settings);
  json["unheard"] = 1;
  CHECK_THROWS_WITH(settings_from_json(convert::JsonObject(json, "test")), doctest::Contains("unheard"));
  settings.texts = {"b.txt"};
  CHECK_THROWS_WITH(check_settings(settings), doctest::Contains("teacher"));
}

TEST_CASE("students: presets, sizes, and what is refused") {
  CHECK(parse_student("bert-tiny").hidden == 128);
  const StudentShape shape = parse_student("albert,layers=4,embedding=64");
  CHECK(shape.family == "albert");
  CHECK(shape.layers == 4);
  CHECK(shape.embedding == 64);
  CHECK(parse_student("layers=3,hidden=384").family == "bert");
  for (const char* wrong : {"", "gpt", "layers=3,bert", "layers=0", "layers=x", "layers=", "depth=3", "layers=3,",
                            "embedding=64", "layers=99999999999999999999"}) {
    CHECK_THROWS_AS(parse_student(wrong), convert::Error);
  }
}

TEST_CASE("random numbers have the deviation asked for and follow from the seed") {
  const std::vector<float> numbers = normal_numbers(3, 20001, 0.02);
  double sum = 0, squares = 0;
  for (const float x : numbers) {
    sum += static_cast<double>(x);
    squares += static_cast<double>(x) * static_cast<double>(x);
  }
  const auto count = static_cast<double>(numbers.size());
  CHECK(std::fabs(sum / count) < 0.001);
  CHECK(std::sqrt(squares / count) == doctest::Approx(0.02).epsilon(0.03));
  CHECK(normal_numbers(3, 20001, 0.02) == numbers);
  CHECK(normal_numbers(4, 20001, 0.02) != numbers);
}

TEST_CASE("principal directions of points on a plane span the plane") {
  // Points a·u + b·v in 6 dimensions.
  const double u[6] = {1, 2, 0, -1, 0, 3}, v[6] = {0, 1, 1, 2, -2, 0};
  std::vector<float> table;
  Random random(11);
  for (int i = 0; i < 200; ++i) {
    const double a = random.uniform() - 0.5, b = random.uniform() - 0.5;
    for (int k = 0; k < 6; ++k) {
      table.push_back(static_cast<float>(a * u[k] + b * v[k]));
    }
  }
  const std::vector<float> directions = principal_directions(table, 6, 2);
  for (const auto* point : {u, v}) {
    double length = 0, kept = 0;
    for (int k = 0; k < 6; ++k) {
      length += point[k] * point[k];
    }
    for (int j = 0; j < 2; ++j) {
      double dot = 0;
      for (int k = 0; k < 6; ++k) {
        dot += point[k] * static_cast<double>(directions[static_cast<size_t>(k * 2 + j)]);
      }
      kept += dot * dot;
    }
    CHECK(kept == doctest::Approx(length).epsilon(1e-5));
  }
}

TEST_CASE("labels of data: numbers in their order, names in theirs, gaps refused") {
  const TemporaryFolder folder;
  const auto write = [&](const char* text) {
    std::ofstream(folder / "d.tsv") << text;
    return std::vector<std::filesystem::path>{folder / "d.tsv"};
  };
  using Names = std::vector<std::string>;
  CHECK(labels_of_data(Kind::classify, write("label\ttext\nsport\ta\nnews\tb\n")) == Names{"news", "sport"});
  CHECK(labels_of_data(Kind::classify, write("label\ttext\n1\ta\n0\tb\n")) == Names{"0", "1"});
  CHECK_THROWS_AS(labels_of_data(Kind::classify, write("label\ttext\n0\ta\n2\tb\n")), convert::Error);
  CHECK_THROWS_AS(labels_of_data(Kind::classify, write("label\ttext\nx\ta\nx\tb\n")), convert::Error);
  CHECK_THROWS_AS(labels_of_data(Kind::classify, write("score\ttext\n1\ta\n")), convert::Error);
}

}  // namespace
}  // namespace kinglet::test
