// Checkpoints with an expected.json, run on their recorded ids: no tokenizer takes part.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "fixtures.h"

namespace kinglet::test {

// One sequence. Its type ids are 0 where the record has none; an XLM's language is the type id of every token.
struct IdInput {
  std::vector<int32_t> ids, type_ids;
};

using NamedOutputs = std::map<std::string, std::vector<float>>;

// Copies config and weights of a checkpoint, and nothing of its tokenizer.
void copy_without_tokenizer(const std::filesystem::path& from, const std::filesystem::path& to);

// Runs the sequences, `batch` at a time.
std::vector<NamedOutputs> run_ids(const std::filesystem::path& model, const std::vector<IdInput>& inputs,
                                  uint32_t threads = 1, uint32_t batch = 1);

// The largest difference, as a share of 5e-5·max(1, the largest number).
double distance(const std::vector<double>& expected, const float* actual);

// Converts, runs every recorded case and compares every recorded output: fp32 within 5e-5·max(1, largest); int8 with a
// cosine of at least 0.99 where there are more than 8 numbers.
void check_recorded_numbers(const std::filesystem::path& checkpoint);

// The int8 program of a checkpoint without a tokenizer: the same bits with 1 and 2 threads, in batches, and, in another
// process, on the reference path. The program of the test must have the test case that RECORDED_CHILD defines.
void check_same_bits(const std::filesystem::path& checkpoint, const std::vector<IdInput>& inputs);

// The inputs of a checkpoint's expected.json.
std::vector<IdInput> recorded_inputs(const std::filesystem::path& checkpoint);

// What the other process does.
void run_recorded_child();
#define RECORDED_CHILD \
  TEST_CASE("child process: outputs into a file" * doctest::skip()) { kinglet::test::run_recorded_child(); }

}  // namespace kinglet::test
