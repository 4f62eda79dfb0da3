#include "id_runs.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include "support/checkpoints.h"
#include "support/json_numbers.h"
#include "support/temporary.h"

namespace kinglet::test {

namespace fs = std::filesystem;

namespace {

constexpr double kTolerance = 5e-5, kLeastCosine = 0.99;

const std::set<std::string> kFacts = {"text", "pair",    "ids",          "type_ids",
                                      "lang", "offsets", "hidden_norms", "last_hidden_first_row"};

void check_values(const std::vector<double>& expected, const float* actual, bool int8) {
  if (!int8) {
    CHECK(distance(expected, actual) <= 1);
  } else if (expected.size() > 8) {
    const std::vector<float> rounded(expected.begin(), expected.end());
    CHECK(cosine(rounded.data(), actual, rounded.size()) >= kLeastCosine);
  }
}

void check_output(const Json& expected, const std::vector<float>& actual, bool int8) {
  if (!expected.is_object()) {
    std::vector<double> values;
    flatten(expected, values);
    REQUIRE(values.size() == actual.size());
    return check_values(values, actual.data(), int8);
  }
  for (size_t i = 0; i < expected.at("positions").size(); ++i) {
    std::vector<double> values;
    flatten(expected.at("rows")[i], values);
    const size_t position = expected.at("positions")[i].get<size_t>();
    REQUIRE((position + 1) * values.size() <= actual.size());
    check_values(values, actual.data() + position * values.size(), int8);
  }
}

template <typename T>
void write_vector(std::ofstream& out, const std::vector<T>& values) {
  const uint64_t size = values.size();
  out.write(reinterpret_cast<const char*>(&size), sizeof(size));
  out.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(size * sizeof(T)));
}

template <typename T>
bool read_vector(std::ifstream& in, std::vector<T>& values) {
  uint64_t size = 0;
  if (!in.read(reinterpret_cast<char*>(&size), sizeof(size))) {
    return false;
  }
  values.resize(size);
  return static_cast<bool>(
      in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(size * sizeof(T))));
}

// All outputs of every input, one after the other.
std::vector<std::vector<float>> joined(const std::vector<NamedOutputs>& all) {
  std::vector<std::vector<float>> result;
  for (const NamedOutputs& outputs : all) {
    result.emplace_back();
    for (const auto& [name, values] : outputs) {
      result.back().insert(result.back().end(), values.begin(), values.end());
    }
  }
  return result;
}

void check_equal(const std::vector<std::vector<float>>& expected, const std::vector<std::vector<float>>& actual) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    REQUIRE(actual[i].size() == expected[i].size());
    CHECK(std::memcmp(actual[i].data(), expected[i].data(), actual[i].size() * sizeof(float)) == 0);
  }
}

std::vector<std::vector<float>> run_on_reference(const fs::path& model, const std::vector<IdInput>& inputs,
                                                 const fs::path& folder) {
  {
    std::ofstream out(folder / "inputs", std::ios::binary);
    for (const IdInput& input : inputs) {
      write_vector(out, input.ids);
      write_vector(out, input.type_ids);
    }
  }
  const pid_t child = fork();
  if (child == 0) {
    setenv("KINGLET_ISA", "reference", 1);
    setenv("KINGLET_RECORDED_MODEL", model.c_str(), 1);
    setenv("KINGLET_RECORDED_FOLDER", folder.c_str(), 1);
    execl("/proc/self/exe", "recorded_test", "--test-case=child process*", "--no-skip", static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  std::vector<std::vector<float>> outputs(1);
  std::ifstream in(folder / "outputs", std::ios::binary);
  while (read_vector(in, outputs.back())) {
    outputs.emplace_back();
  }
  outputs.pop_back();
  return outputs;
}

}  // namespace

void copy_without_tokenizer(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename().string();
    if (name == "config.json" || name.starts_with("model") || name.starts_with("pytorch_model")) {
      fs::copy_file(entry.path(), to / name);
      fs::permissions(to / name, fs::perms::owner_write, fs::perm_options::add);
    }
  }
}

std::vector<NamedOutputs> run_ids(const fs::path& model, const std::vector<IdInput>& inputs, uint32_t threads,
                                  uint32_t batch) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.raw_outputs = 1;
  options.threads = threads;
  options.batch = batch;
  OpenSession open(model, options);
  std::vector<NamedOutputs> results(inputs.size());
  for (size_t first = 0; first < inputs.size(); first += batch) {
    const size_t count = std::min<size_t>(batch, inputs.size() - first);
    std::vector<kinglet_input> views(count);
    for (size_t i = 0; i < count; ++i) {
      const IdInput& input = inputs[first + i];
      views[i].ids = input.ids.data();
      views[i].type_ids = input.type_ids.empty() ? nullptr : input.type_ids.data();
      views[i].id_count = input.ids.size();
    }
    INFO(kinglet_session_message(open.session));
    REQUIRE(kinglet_encode(open.session, views.data(), count, nullptr) == KINGLET_OK);
    for (size_t i = 0; i < count; ++i) {
      for (uint32_t output = 0; output < open.info.output_count; ++output) {
        kinglet_output view = {};
        REQUIRE(kinglet_session_output(open.session, i, output, &view) == KINGLET_OK);
        size_t size = 1;
        for (uint32_t d = 0; d < view.rank; ++d) {
          size *= view.shape[d];
        }
        results[first + i][view.name].assign(view.data, view.data + size);
      }
    }
  }
  return results;
}

double distance(const std::vector<double>& expected, const float* actual) {
  double largest = 1, difference = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::fabs(expected[i]));
    difference = std::max(difference, std::fabs(expected[i] - static_cast<double>(actual[i])));
  }
  return difference / (kTolerance * largest);
}

std::vector<IdInput> recorded_inputs(const fs::path& checkpoint) {
  std::vector<IdInput> inputs;
  const Json recorded = Json::parse(read_file(checkpoint / "expected.json"));
  for (const Json& entry : recorded.at("cases")) {
    IdInput input;
    input.ids = entry.at("ids").get<std::vector<int32_t>>();
    if (entry.contains("type_ids")) {
      input.type_ids = entry.at("type_ids").get<std::vector<int32_t>>();
    } else if (entry.contains("lang")) {
      input.type_ids.assign(input.ids.size(), entry.at("lang").get<int32_t>());
    }
    inputs.push_back(std::move(input));
  }
  return inputs;
}

void check_recorded_numbers(const fs::path& checkpoint) {
  const std::string source = checkpoint.string();
  CAPTURE(source);
  const TemporaryFolder folder;
  copy_without_tokenizer(checkpoint, folder / "model");
  const Json recorded = Json::parse(read_file(checkpoint / "expected.json"));
  for (const bool int8 : {false, true}) {
    CAPTURE(int8);
    convert_checkpoint(folder / "model", folder / "m.kgl", int8 ? "int8" : "fp32");
    const std::vector<NamedOutputs> outputs = run_ids(folder / "m.kgl", recorded_inputs(checkpoint));
    REQUIRE(!outputs.empty());
    for (size_t i = 0; i < outputs.size(); ++i) {
      CAPTURE(i);
      size_t compared = 0;
      for (const auto& item : recorded.at("cases")[i].items()) {
        const std::string name = item.key();
        const Json& expected = item.value();
        if (kFacts.count(name) == 0) {
          CAPTURE(name);
          REQUIRE(outputs[i].count(name) == 1);
          check_output(expected, outputs[i].at(name), int8);
          ++compared;
        }
      }
      CHECK(compared == outputs[i].size());
    }
  }
}

void check_same_bits(const fs::path& checkpoint, const std::vector<IdInput>& inputs) {
  const TemporaryFolder folder;
  const fs::path model = folder / "m.kgl";
  convert_checkpoint(checkpoint, model, "int8");
  const auto alone = joined(run_ids(model, inputs));
  check_equal(alone, joined(run_ids(model, inputs, 2)));
  check_equal(alone, joined(run_ids(model, inputs, 2, 3)));
  check_equal(alone, joined(run_ids(model, inputs, 1, static_cast<uint32_t>(inputs.size()))));
  check_equal(alone, run_on_reference(model, inputs, folder.path()));
}

void run_recorded_child() {
  const char* const model = std::getenv("KINGLET_RECORDED_MODEL");
  const char* const name = std::getenv("KINGLET_RECORDED_FOLDER");
  REQUIRE(model != nullptr);
  REQUIRE(name != nullptr);
  const fs::path folder = name;
  std::vector<IdInput> inputs(1);
  std::ifstream in(folder / "inputs", std::ios::binary);
  while (read_vector(in, inputs.back().ids) && read_vector(in, inputs.back().type_ids)) {
    inputs.emplace_back();
  }
  inputs.pop_back();
  std::ofstream out(folder / "outputs", std::ios::binary);
  for (const std::vector<float>& values : joined(run_ids(model, inputs))) {
    write_vector(out, values);
  }
}

}  // namespace kinglet::test
