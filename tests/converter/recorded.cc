// Outputs by name, compared case by case.
#include "recorded.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "support/json_numbers.h"

namespace kinglet::test {

namespace fs = std::filesystem;

namespace {

constexpr double kTolerance = 5e-5;  // times the largest number, or 1
constexpr size_t kManyNumbers = 8;   // the cosine of fewer says little

// What is recorded of an output, and the same part of what was computed.
struct Compared {
  std::vector<double> expected;
  std::vector<float> actual;
};

Compared select(const Json& expected, const std::vector<float>& actual) {
  Compared compared;
  if (!expected.is_object()) {
    flatten(expected, compared.expected);
    compared.actual = actual;
    REQUIRE(compared.expected.size() == actual.size());
    return compared;
  }
  for (size_t i = 0; i < expected.at("positions").size(); ++i) {
    const size_t before = compared.expected.size();
    flatten(expected.at("rows")[i], compared.expected);
    const size_t width = compared.expected.size() - before;
    const size_t position = expected.at("positions")[i].get<size_t>();
    REQUIRE((position + 1) * width <= actual.size());
    const auto begin = actual.begin() + static_cast<std::ptrdiff_t>(position * width);
    compared.actual.insert(compared.actual.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
  }
  return compared;
}

void check_output(const std::string& name, const Compared& compared, double least_cosine) {
  CAPTURE(name);
  if (least_cosine == 0) {
    CHECK(distance(compared.expected, compared.actual.data()) <= 1);
  } else if (compared.expected.size() > kManyNumbers) {
    const std::vector<float> expected(compared.expected.begin(), compared.expected.end());
    CHECK(cosine(expected.data(), compared.actual.data(), expected.size()) >= least_cosine);
  }
}

}  // namespace

kinglet_session_options raw_outputs() {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.raw_outputs = 1;
  return options;
}

OutputsByName run_ids(OpenSession& open, const std::vector<int32_t>& ids, const std::vector<int32_t>& type_ids) {
  kinglet_input input = {};
  input.ids = ids.data();
  input.type_ids = type_ids.data();
  input.id_count = ids.size();
  REQUIRE(kinglet_encode(open.session, &input, 1, nullptr) == KINGLET_OK);
  OutputsByName outputs;
  for (uint32_t i = 0; i < open.info.output_count; ++i) {
    kinglet_output view = {};
    REQUIRE(kinglet_session_output(open.session, 0, i, &view) == KINGLET_OK);
    size_t size = 1;
    for (uint32_t d = 0; d < view.rank; ++d) {
      size *= view.shape[d];
    }
    outputs[view.name].assign(view.data, view.data + size);
  }
  return outputs;
}

double distance(const std::vector<double>& expected, const float* actual) {
  double largest = 1, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    difference = std::max(difference, std::fabs(expected[i] - static_cast<double>(actual[i])));
  }
  return difference / (kTolerance * largest);
}

std::vector<int32_t> recorded_ids(const Json& entry) {
  return entry.at("ids").get<std::vector<int32_t>>();
}

std::vector<int32_t> recorded_types(const Json& entry) {
  return entry.contains("type_ids") ? entry.at("type_ids").get<std::vector<int32_t>>()
                                    : std::vector<int32_t>(entry.at("ids").size());
}

fs::path without_tokenizer(const fs::path& checkpoint, const fs::path& folder) {
  const fs::path copy = folder / checkpoint.filename();
  fs::create_directories(copy);
  for (const auto& entry : fs::directory_iterator(checkpoint)) {
    const std::string name = entry.path().filename().string();
    if (name == "config.json" || name.find(".safetensors") != name.npos || name.ends_with(".bin")) {
      fs::create_symlink(fs::absolute(entry.path()), copy / name);
    }
  }
  return copy;
}

void check_recorded(const fs::path& checkpoint, const fs::path& file, double least_cosine) {
  CAPTURE(checkpoint.string());
  OpenSession open(file, raw_outputs());
  const Json recorded = Json::parse(read_file(checkpoint / "expected.json"));
  const std::set<std::string> facts = {"text",        "pair", "ids", "type_ids", "offsets", "last_hidden_first_row",
                                       "hidden_norms"};
  for (const Json& entry : recorded.at("cases")) {
    const auto outputs = run_ids(open, recorded_ids(entry), recorded_types(entry));
    size_t compared = 0;
    for (const auto& [name, expected] : entry.items()) {
      if (facts.count(name) == 0) {
        REQUIRE(outputs.count(name) == 1);
        check_output(name, select(expected, outputs.at(name)), least_cosine);
        ++compared;
      }
    }
    CHECK(compared == outputs.size());
  }
}

}  // namespace kinglet::test
