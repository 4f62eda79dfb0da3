// The interpreter of programs against outputs that transformers computed, for every family that can be trained, and the
// texts of a batch against each text alone.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "support/json_numbers.h"
#include "support/paths.h"
#include "train/engine.h"
#include "train/start.h"

namespace kinglet::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr double kTolerance = 5e-5;  // times the largest number, or 1

train::Batch batch_of(const std::vector<const Json*>& entries) {
  train::Batch batch;
  batch.rows = static_cast<uint32_t>(entries.size());
  for (const Json* entry : entries) {
    batch.columns = std::max(batch.columns, static_cast<uint32_t>(entry->at("ids").size()));
  }
  for (const Json* entry : entries) {
    auto ids = entry->at("ids").get<std::vector<int64_t>>();
    auto types = entry->contains("type_ids") ? entry->at("type_ids").get<std::vector<int64_t>>()
                                             : std::vector<int64_t>(ids.size(), 0);
    batch.lengths.push_back(static_cast<int64_t>(ids.size()));
    ids.resize(batch.columns);
    types.resize(batch.columns);
    batch.ids.insert(batch.ids.end(), ids.begin(), ids.end());
    batch.types.insert(batch.types.end(), types.begin(), types.end());
  }
  return batch;
}

// The numbers of text `row` that are recorded under this output.
void check_rows(const Json& recorded, const convert::Output& output, uint32_t width, const std::vector<float>& values,
                size_t row, const train::Batch& batch, bool per_token) {
  std::vector<double> expected;
  std::vector<size_t> positions;
  if (recorded.is_object()) {
    positions = recorded.at("positions").get<std::vector<size_t>>();
    flatten(recorded.at("rows"), expected);
  } else {
    flatten(recorded, expected);
    positions.resize(per_token ? static_cast<size_t>(batch.lengths[row]) : 1);
    for (size_t i = 0; i < positions.size(); ++i) {
      positions[i] = i;
    }
  }
  const size_t columns = output.column == convert::kNone ? width : 1;
  REQUIRE(expected.size() == positions.size() * columns);
  double largest = 1, difference = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    for (size_t k = 0; k < columns; ++k) {
      const size_t cell = per_token ? row * batch.columns + positions[i] : row;
      const size_t column = output.column == convert::kNone ? k : static_cast<size_t>(output.column);
      const double truth = expected[i * columns + k];
      largest = std::max(largest, std::fabs(truth));
      difference = std::max(difference, std::fabs(truth - static_cast<double>(values[cell * width + column])));
    }
  }
  CHECK(difference <= kTolerance * largest);
}

void check_checkpoint(const fs::path& folder) {
  CAPTURE(folder.string());
  const convert::ModelIR model = train::load_model(folder);
  train::check_trainable(model, folder.string());
  std::ifstream file(folder / "expected.json");
  const Json recorded = Json::parse(file);
  // All texts at once: the filler behind the shorter ones must not be seen.
  std::vector<const Json*> entries;
  for (const Json& entry : recorded.at("cases")) {
    entries.push_back(&entry);
  }
  const train::Batch batch = batch_of(entries);
  size_t compared = 0;
  for (const convert::Output& output : model.outputs) {
    const convert::Value& value = model.values[output.value];
    const std::vector<float> values = train::run_program(model, batch, output.value);
    for (size_t row = 0; row < entries.size(); ++row) {
      if (entries[row]->contains(output.name)) {
        check_rows(entries[row]->at(output.name), output, value.width, values, row, batch,
                   value.extent == fmt::Extent::tokens);
        ++compared;
      }
    }
  }
  CHECK(compared >= entries.size());
}

TEST_CASE("the interpreter computes what transformers computes: checkpoints of this repository") {
  for (const char* name : {"bert", "bert-seqcls", "bert-ner", "bert-pretraining"}) {
    check_checkpoint(data_folder() / "tiny" / name);
  }
}

TEST_CASE("the interpreter computes what transformers computes: every family that can be trained") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("training's interpreter on all families", "there is no shared folder");
    return;
  }
  for (const char* name : {"bert-qa", "bert-regression", "albert-seqcls", "albert-qa", "distilbert-seqcls",
                           "distilbert-ner", "electra-seqcls", "electra-same-width", "mpnet", "mpnet-seqcls",
                           "roberta-seqcls", "roberta-ner", "xlmr-seqcls", "camembert-mlm"}) {
    check_checkpoint(*shared / "models/tiny" / name);
  }
}

TEST_CASE("families that cannot be trained are refused by name") {
  const auto shared = shared_folder();
  if (!shared) {
    skipped("refusals of families that cannot be trained", "there is no shared folder");
    return;
  }
  for (const char* name : {"deberta-v3-seqcls", "modernbert-seqcls", "mobilebert-seqcls", "xlm-seqcls"}) {
    const convert::ModelIR model = train::load_model(*shared / "models/tiny" / name);
    const std::string quoted = '"' + model.architecture + '"';
    CHECK_THROWS_WITH(train::check_trainable(model, name), doctest::Contains(quoted.c_str()));
  }
}

}  // namespace
}  // namespace kinglet::test
