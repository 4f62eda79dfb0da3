// Models called in turn.
#include "eval/timing.h"

#include <algorithm>
#include <type_traits>

#include "base/clock.h"
#include "base/text.h"

namespace kinglet::eval {

using convert::Clock;
using convert::milliseconds_since;

namespace {

constexpr size_t kWarmUpRounds = 2, kLeastRounds = 5;

template <typename Value>
Value checked(Result<Value> result) {
  if (!result) {
    convert::refuse("the model to time does not run: ", result.error().message());
  }
  if constexpr (!std::is_void_v<Value>) {
    return *std::move(result);
  }
}

// One model, ready to be called with some ids.
class Timed {
 public:
  Timed(const Model& model, uint32_t length)
      : info_(model.info()),
        session_(open(model, length)),
        results_(std::max({info_.embedding_size, info_.label_count, 1u})) {}

  double call(const std::vector<int32_t>& ids) {
    const Input input = ids_input(ids.data(), ids.size());
    const Clock::time_point begin = Clock::now();
    Result<void> result = info_.task == KINGLET_TASK_EMBED      ? session_.embed(&input, 1, results_.data())
                          : info_.task == KINGLET_TASK_CLASSIFY ? session_.classify(&input, 1, results_.data())
                                                                : session_.encode(&input, 1);
    const double time = milliseconds_since(begin);
    checked(std::move(result));
    return time;
  }

 private:
  static Session open(const Model& model, uint32_t length) {
    SessionOptions options;
    options.max_length = length;
    options.raw_outputs = model.info().task != KINGLET_TASK_EMBED && model.info().task != KINGLET_TASK_CLASSIFY;
    return checked(Session::create(model, options));
  }

  kinglet_model_info info_;
  Session session_;
  std::vector<float> results_;
};

}  // namespace

std::vector<CallTime> time_calls(const std::vector<const Model*>& models, uint32_t length, double seconds) {
  std::vector<Timed> timed;
  uint32_t vocabulary = UINT32_MAX;
  for (const Model* model : models) {
    timed.emplace_back(*model, length);
    vocabulary = std::min(vocabulary, model->info().vocabulary);
  }
  std::vector<int32_t> ids(length);
  for (uint32_t i = 0; i < length; ++i) {
    ids[i] = static_cast<int32_t>((i * 7919u + 1) % vocabulary);
  }
  std::vector<std::vector<double>> times(models.size());
  const Clock::time_point begin = Clock::now();
  for (size_t round = 0; round < kWarmUpRounds + kLeastRounds || milliseconds_since(begin) < seconds * 1000; ++round) {
    for (size_t i = 0; i < timed.size(); ++i) {
      const double time = timed[i].call(ids);
      if (round >= kWarmUpRounds) {
        times[i].push_back(time);
      }
    }
  }
  std::vector<CallTime> results;
  for (std::vector<double>& list : times) {
    std::sort(list.begin(), list.end());
    results.push_back({list.front(), list[list.size() / 2]});
  }
  return results;
}

}  // namespace kinglet::eval
