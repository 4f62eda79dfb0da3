// int8 programs give the same bits for any number of threads, in any batch, on every kernel path, and whatever the
// caller's floating-point environment is.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "support/checkpoints.h"
#include "support/paths.h"
#include "support/temporary.h"

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

using namespace kinglet::test;

namespace {

const std::vector<std::string> kTexts = {
    "a gripping , beautifully acted film that stays with you long after the credits",
    "no",
    "Stocks rallied on Friday after the central bank held interest rates, and bonds fell; analysts at three banks said "
    "that they had expected as much, although one of them was less sure of what the autumn would bring.",
    "Ünïcödé: naïve café — 3.14% of “quotes” (and #tags) at 12:30",
    "",
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
};

std::vector<kinglet_input> inputs_of(const std::vector<std::string>& texts) {
  std::vector<kinglet_input> inputs;
  for (const std::string& text : texts) {
    inputs.push_back(text_input(text));
  }
  return inputs;
}

using Outputs = std::vector<std::vector<float>>;

bool equal_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

Outputs run(const std::filesystem::path& file, uint32_t threads, uint32_t batch) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.threads = threads;
  options.batch = batch;
  options.raw_outputs = 1;
  OpenSession session(file, options);
  const std::vector<kinglet_input> inputs = inputs_of(kTexts);
  Outputs all;
  for (size_t i = 0; i < inputs.size(); i += batch) {
    const size_t end = std::min(inputs.size(), i + batch);
    for (std::vector<float>& result : encode_all(session, {inputs.begin() + i, inputs.begin() + end})) {
      all.push_back(std::move(result));
    }
  }
  return all;
}

void check_equal(const Outputs& expected, const Outputs& got) {
  REQUIRE(got.size() == expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(equal_bits(expected[i], got[i]));
  }
}

// The outputs of another process that is told to use the kernels `isa`; nothing when it has no such path.
Outputs run_with_isa(const std::filesystem::path& file, const std::string& isa, const std::filesystem::path& results) {
  const pid_t child = fork();
  if (child == 0) {
    setenv("KINGLET_ISA", isa.c_str(), 1);
    setenv("KINGLET_BITS_FILE", file.c_str(), 1);
    setenv("KINGLET_BITS_RESULTS", results.c_str(), 1);
    execl("/proc/self/exe", "bits_test", "--test-case=child process*", "--no-skip", static_cast<char*>(nullptr));
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  Outputs outputs;
  std::ifstream in(results, std::ios::binary);
  uint64_t size = 0;
  while (in.read(reinterpret_cast<char*>(&size), sizeof(size))) {
    outputs.emplace_back(size);
    in.read(reinterpret_cast<char*>(outputs.back().data()), static_cast<std::streamsize>(size * sizeof(float)));
  }
  return outputs;
}

void check_all_ways(const std::filesystem::path& checkpoint) {
  const TemporaryFolder folder;
  const std::filesystem::path file = folder / "model.kgl";
  convert_checkpoint(checkpoint, file, "int8");
  const Outputs alone = run(file, 1, 1);
  SUBCASE("threads") {
    check_equal(alone, run(file, 2, 1));
    check_equal(alone, run(file, 3, 1));
  }
  SUBCASE("batches") {
    for (const uint32_t batch : {2u, 3u, 6u}) {
      check_equal(alone, run(file, 1, batch));
      check_equal(alone, run(file, 2, batch));
    }
  }
  SUBCASE("kernel paths") {
    int paths = 0;
    for (const char* isa : {"reference", "avx2", "avx_vnni", "avx512_vnni", "amx_int8", "neon", "neon_dotprod", "neon_i8mm"}) {
      const Outputs other = run_with_isa(file, isa, folder / "results");
      if (!other.empty()) {
        CAPTURE(isa);
        check_equal(alone, other);
        ++paths;
      }
    }
    CHECK(paths >= 1);
  }
#if defined(__x86_64__)
  SUBCASE("flush to zero and other rounding") {
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040 | 0x6000);  // FTZ, DAZ, towards zero
    const unsigned during = _mm_getcsr();
    const Outputs flushed = run(file, 2, 3);
    const unsigned after = _mm_getcsr();
    _mm_setcsr(before);
    CHECK((after & ~0x3fu) == (during & ~0x3fu));
    check_equal(alone, flushed);
  }
#endif
}

}  // namespace

TEST_CASE("child process: outputs into a file" * doctest::skip()) {
  const char* file = std::getenv("KINGLET_BITS_FILE");
  const char* results = std::getenv("KINGLET_BITS_RESULTS");
  if (file == nullptr || results == nullptr || kinglet_isa() == nullptr) {
    std::ofstream(results == nullptr ? "/dev/null" : results);
    return;
  }
  std::ofstream out(results, std::ios::binary);
  for (const std::vector<float>& output : run(file, 1, 1)) {
    const uint64_t size = output.size();
    out.write(reinterpret_cast<const char*>(&size), sizeof(size));
    out.write(reinterpret_cast<const char*>(output.data()), static_cast<std::streamsize>(size * sizeof(float)));
  }
}

TEST_CASE("a small classifier has the same bits in every way of running it") {
  check_all_ways(data_folder() / "tiny" / "bert-seqcls");
}

TEST_CASE("a pre-training model with a tied decoder has the same bits in every way of running it") {
  check_all_ways(data_folder() / "tiny" / "bert-pretraining");
}

TEST_CASE("all-MiniLM-L6-v2 has the same bits in every way of running it") {
  if (!minilm_folder()) {
    skipped("bits of all-MiniLM-L6-v2", "KINGLET_MINILM is not set");
    return;
  }
  if (small_scale()) {
    skipped("bits of all-MiniLM-L6-v2", "KINGLET_TEST_SCALE=small");
    return;
  }
  check_all_ways(*minilm_folder());
}
