// Computing, keeping and handing out logits.
#include "train/teacher_logits.h"

#include <algorithm>

#include "train/batches.h"
#include "train/state_file.h"

namespace kinglet::train {

namespace {

constexpr uint32_t kBatch = 32;

bool is_per_token(Kind kind) {
  return kind == Kind::tag || kind == Kind::answer;
}

}  // namespace

uint64_t TeacherLogits::bytes(Kind kind, const std::vector<Example>& examples, uint32_t outputs) {
  uint64_t rows = 0;
  for (const Example& example : examples) {
    rows += is_per_token(kind) ? example.ids.size() : 1;
  }
  return rows * outputs * sizeof(float);
}

TeacherLogits::TeacherLogits(const Ask& ask, Kind kind, const std::vector<Example>& examples, uint32_t outputs,
                             const std::filesystem::path& path, const std::string& fingerprint,
                             const std::function<void(double fraction)>& progress)
    : per_token_(is_per_token(kind)), outputs_(outputs) {
  size_t size = 0;
  for (const Example& example : examples) {
    begins_.push_back(size);
    size += (per_token_ ? example.ids.size() : 1) * outputs;
  }
  begins_.push_back(size);
  const std::vector<StateArray> arrays = {{"logits", size}};
  const auto facts = read_state_facts(path);
  if (facts && facts->contains("fingerprint") && (*facts)["fingerprint"] == fingerprint &&
      read_state(path, arrays, [&](size_t, std::vector<float> numbers) { numbers_ = std::move(numbers); })) {
    return;
  }
  numbers_.resize(size);
  const auto batches = sorted_batches(examples, kBatch);
  for (size_t i = 0; i < batches.size(); ++i) {
    const Batch batch = make_batch(kind, examples, batches[i]);
    const std::vector<float> logits = ask(batch);
    const size_t row = per_token_ ? size_t{batch.columns} * outputs : outputs;
    for (size_t j = 0; j < batches[i].size(); ++j) {
      const size_t place = batches[i][j];
      std::copy_n(logits.begin() + static_cast<std::ptrdiff_t>(j * row), begins_[place + 1] - begins_[place],
                  numbers_.begin() + static_cast<std::ptrdiff_t>(begins_[place]));
    }
    progress(static_cast<double>(i + 1) / static_cast<double>(batches.size()));
  }
  write_state(path, {{"fingerprint", fingerprint}}, arrays, [&](size_t) { return numbers_; });
}

void TeacherLogits::fill(Batch& batch) const {
  const size_t row = per_token_ ? size_t{batch.columns} * outputs_ : outputs_;
  batch.teacher_logits.assign(batch.rows * row, 0);
  for (size_t j = 0; j < batch.examples.size(); ++j) {
    const size_t place = batch.examples[j];
    std::copy(numbers_.begin() + static_cast<std::ptrdiff_t>(begins_[place]),
              numbers_.begin() + static_cast<std::ptrdiff_t>(begins_[place + 1]),
              batch.teacher_logits.begin() + static_cast<std::ptrdiff_t>(j * row));
  }
}

}  // namespace kinglet::train
