// What the tests of pruning share.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "fixtures.h"
#include "prune/network.h"
#include "prune/prune.h"
#include "support/temporary.h"

namespace kinglet::test {

// tests/data/tiny
std::filesystem::path tiny();

convert::ModelIR load(const std::filesystem::path& folder);

// A text of each length; ids below 1,000, types 0 and 1.
convert::Tokens random_tokens(const std::vector<uint32_t>& lengths, uint32_t seed);

// A value after a run over all texts.
std::vector<float> run(const convert::Network& network, const convert::Tokens& tokens, uint32_t value);

// To prune `source` to half on some texts, which it writes into `folder`, to folder / "out".
convert::PruneOptions half_of(const std::filesystem::path& source, const TemporaryFolder& folder);

}  // namespace kinglet::test
