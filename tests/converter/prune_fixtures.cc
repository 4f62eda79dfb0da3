// Models, texts and options for the tests of pruning.
#include "prune_fixtures.h"

#include <cstdlib>
#include <random>

#include "source_model.h"

namespace kinglet::test {

using namespace kinglet::convert;
namespace fs = std::filesystem;

fs::path tiny() { return fs::path(std::getenv("KINGLET_TEST_DATA")) / "tiny"; }

ModelIR load(const fs::path& folder) {
  return read_source_model(folder, {}, {}, [](const std::string&, double) {}).model;
}

Tokens random_tokens(const std::vector<uint32_t>& lengths, uint32_t seed) {
  std::mt19937 random(seed);
  Tokens tokens;
  for (const uint32_t length : lengths) {
    for (uint32_t i = 0; i < length; ++i) {
      tokens.ids.push_back(static_cast<int32_t>(random() % 1000));
      tokens.types.push_back(static_cast<int32_t>(i > length / 2));
    }
    tokens.begins.push_back(static_cast<uint32_t>(tokens.ids.size()));
  }
  return tokens;
}

std::vector<float> run(const Network& network, const Tokens& tokens, uint32_t value) {
  Tape tape = network.tape(tokens, 0, tokens.texts(), false);
  network.forward(tape, 0, network.model().program.size());
  return tape.values[value];
}

namespace {

// A text a line, from the tiny models' vocabulary or not: what is unknown is a token, too.
void write_texts(const fs::path& path) {
  std::string lines = "label\ttext\n";
  for (int i = 0; i < 60; ++i) {
    lines += std::to_string(i % 3) + "\tthe film number " + std::to_string(i * 37) +
             (i % 2 == 0 ? " is good\n" : " was bad and far too long\n");
  }
  write_file(path, lines);
}

}  // namespace

PruneOptions half_of(const fs::path& source, const TemporaryFolder& folder) {
  write_texts(folder / "texts.tsv");
  PruneOptions options;
  options.source = source;
  options.output = folder / "out";
  options.data = folder / "texts.tsv";
  options.target = 0.5;
  return options;
}

}  // namespace kinglet::test
