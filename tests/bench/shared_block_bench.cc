// Where it pays that threads share a block: a call with a shared block against one with a block for each thread, for
// every length, in turns, and the bytes of weights per row where the two meet (Capacity::shared_row_cost).
//
//   shared_block_bench SHAPE THREADS LENGTH…      SHAPE: as for kinglet bench --shape; KINGLET_ISA is heeded
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cli/random_model.h"
#include "session/session.h"

namespace {

using namespace kinglet;

constexpr int kRounds = 15;
constexpr int kCalls = 40;

[[noreturn]] void die(const Error& error) {
  std::fprintf(stderr, "shared_block_bench: %s\n", error.message);
  std::exit(1);
}

double least_ms(Session& session, const std::vector<int32_t>& ids) {
  using Clock = std::chrono::steady_clock;
  double least = 1e9;
  for (int i = 0; i < kCalls; ++i) {
    kinglet_input input = {};
    input.ids = ids.data();
    input.id_count = ids.size();
    bool truncated = false;
    Error error;
    const Clock::time_point begin = Clock::now();
    session.clear();
    if (session.add(input, {}, 0, &truncated, error) != KINGLET_OK || session.run(error) != KINGLET_OK) {
      die(error);
    }
    least = std::min(least, std::chrono::duration<double, std::milli>(Clock::now() - begin).count());
  }
  return least;
}

void open(Session& session, const Model& model, uint32_t threads, uint32_t length, uint32_t cost) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.threads = threads;
  options.max_length = length;
  Error error;
  if (session.create(model, options, error, cost) != KINGLET_OK) {
    die(error);
  }
}

// Weights of the heaviest stage: a layer's.
uint64_t layer_bytes(const Plan& plan) {
  uint64_t most = 0;
  for (uint32_t i = 0; i < plan.stage_count(); ++i) {
    most = std::max(most, plan.weight_bytes(plan.stages()[i]));
  }
  return most;
}

}  // namespace

int main(int argc, char** argv) {
  const cli::ModelShape* shape = argc < 4 ? nullptr : cli::find_shape(argv[1]);
  if (shape == nullptr) {
    std::fprintf(stderr, "usage: shared_block_bench SHAPE THREADS LENGTH...\n");
    return 2;
  }
  const cli::RandomModel file(*shape, true);
  Model model;
  Error error;
  if (model.open_path(file.path().c_str(), error) != KINGLET_OK) {
    die(error);
  }
  const auto threads = static_cast<uint32_t>(std::atoi(argv[2]));
  std::printf("%s, %u threads; least milliseconds\n%6s %10s %10s %8s %18s\n", argv[1], threads, "tokens", "own blocks",
              "shared", "ratio", "KiB weights / row");
  for (int i = 3; i < argc; ++i) {
    const auto length = static_cast<uint32_t>(std::atoi(argv[i]));
    Session own, shared;
    open(own, model, threads, length, UINT32_MAX);
    open(shared, model, threads, length, 1);
    std::vector<int32_t> ids(length, 7);
    double least[2] = {1e9, 1e9};
    for (int round = 0; round < kRounds; ++round) {
      least[0] = std::min(least[0], least_ms(own, ids));
      least[1] = std::min(least[1], least_ms(shared, ids));
    }
    std::printf("%6u %10.3f %10.3f %8.2f %18.0f\n", length, least[0], least[1], least[1] / least[0],
                static_cast<double>(layer_bytes(own.plan())) / length / 1024);
  }
  return 0;
}
