// Batches of ids in, raw outputs out.
#include "train/runtime_teacher.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"

namespace kinglet::train {

using convert::refuse;

namespace {

constexpr uint32_t kBatch = 32;

convert::ConvertedModel in_int8(const std::filesystem::path& checkpoint) {
  convert::ConvertOptions options;
  options.source = checkpoint;
  options.precision = "int8";
  return {options, checkpoint.string() + " in int8"};
}

uint32_t find_output(const Model& model, std::string_view name) {
  const uint32_t count = model.info().output_count;
  for (uint32_t i = 0; i < count; ++i) {
    if (model.output_name(i) == name) {
      return i;
    }
  }
  refuse("the teacher in int8 has no output ", name);
}

}  // namespace

RuntimeTeacher::RuntimeTeacher(const std::filesystem::path& checkpoint, Kind kind, uint32_t max_length,
                               uint32_t threads)
    : per_token_(kind == Kind::tag || kind == Kind::answer),
      model_(in_int8(checkpoint)),
      session_(open(max_length, threads)) {
  if (kind == Kind::answer) {
    outputs_ = {find_output(model_.model(), "start_logits"), find_output(model_.model(), "end_logits")};
  } else {
    outputs_ = {find_output(model_.model(), "logits")};
  }
}

Session RuntimeTeacher::open(uint32_t max_length, uint32_t threads) const {
  SessionOptions options;
  options.threads = threads;
  options.batch = kBatch;
  options.max_length = max_length;
  options.raw_outputs = true;
  Result<Session> session = Session::create(model_.model(), options);
  if (!session) {
    refuse("the teacher in int8: ", session.error().message());
  }
  return *std::move(session);
}

std::vector<float> RuntimeTeacher::logits(const Batch& batch) {
  const std::vector<int32_t> ids(batch.ids.begin(), batch.ids.end()), types(batch.types.begin(), batch.types.end());
  std::vector<float> all;
  for (uint32_t begin = 0; begin < batch.rows; begin += kBatch) {
    std::vector<Input> inputs;
    for (uint32_t row = begin; row < std::min(begin + kBatch, batch.rows); ++row) {
      const size_t place = size_t{row} * batch.columns;
      inputs.push_back(ids_input(&ids[place], static_cast<size_t>(batch.lengths[row]), &types[place]));
    }
    if (const Result<void> result = session_.encode(inputs.data(), inputs.size()); !result) {
      refuse("the teacher in int8: ", result.error().message());
    }
    for (size_t input = 0; input < inputs.size(); ++input) {
      std::array<Output, 2> views{};
      for (size_t i = 0; i < outputs_.size(); ++i) {
        views[i] = session_.output(input, outputs_[i]).value();
      }
      const size_t tokens = per_token_ ? inputs[input].id_count : 1;
      const size_t width = views[0].rank == 2 ? views[0].shape[1] : per_token_ ? 1 : views[0].shape[0];
      for (size_t token = 0; token < tokens; ++token) {
        for (size_t i = 0; i < outputs_.size(); ++i) {
          all.insert(all.end(), views[i].data + token * width, views[i].data + (token + 1) * width);
        }
      }
      if (per_token_) {
        all.resize(all.size() + (batch.columns - tokens) * width * outputs_.size(), 0.0f);
      }
    }
  }
  return all;
}

}  // namespace kinglet::train
