// How long calls take here.
#include "prune/timing.h"

#include <algorithm>
#include <chrono>

#include "base/text.h"

namespace kinglet::convert {

namespace {

constexpr size_t kLeastRounds = 5;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

std::vector<double> time_calls(const std::vector<const Model*>& models, uint32_t length, double seconds) {
  std::vector<Session> sessions;
  for (const Model* model : models) {
    SessionOptions options;
    options.raw_outputs = true;
    options.max_length = length;
    Result<Session> session = Session::create(*model, options);
    if (!session) {
      refuse("the model to time does not run: ", session.error().message());
    }
    sessions.push_back(*std::move(session));
  }
  std::vector<int32_t> ids(length);
  for (uint32_t i = 0; i < length; ++i) {
    ids[i] = static_cast<int32_t>((i * 7919u + 1) % models.front()->info().vocabulary);
  }
  Input input = {};
  input.ids = ids.data();
  input.id_count = ids.size();
  std::vector<std::vector<double>> times(models.size());
  const Clock::time_point begin = Clock::now();
  for (size_t round = 0; round <= kLeastRounds || seconds_since(begin) < seconds; ++round) {
    for (size_t i = 0; i < sessions.size(); ++i) {
      const Clock::time_point start = Clock::now();
      if (const Result<void> result = sessions[i].encode(&input, 1); !result) {
        refuse("the model to time does not run: ", result.error().message());
      }
      if (round > 0) {  // the first warms up
        times[i].push_back(1000 * seconds_since(start));
      }
    }
  }
  std::vector<double> medians;
  for (std::vector<double>& list : times) {
    std::nth_element(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(list.size() / 2), list.end());
    medians.push_back(list[list.size() / 2]);
  }
  return medians;
}

}  // namespace kinglet::convert
