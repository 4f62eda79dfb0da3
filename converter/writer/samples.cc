// The converter's only use of the runtime: it runs what it has written.
#include "writer/samples.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "kinglet.h"

namespace kinglet::convert {

namespace {

constexpr const char* kTexts[] = {
    "A kinglet is among the smallest of birds.",
    "What weighs 5.5 grams, and sings? Ein Wintergoldhähnchen!",
    "작은 새가 노래합니다.",
};
constexpr uint32_t kMadeUpTokens = 12;
constexpr float kTolerance = 1e-4f;  // of fp32 programs, relative to the largest number or 1

struct OpenModel {
  kinglet_model* model = nullptr;
  ~OpenModel() { kinglet_model_close(model); }
};

struct OpenSession {
  kinglet_session* session = nullptr;
  ~OpenSession() { kinglet_session_close(session); }
};

class Recorder {
 public:
  Recorder(const ModelIR& model, bool exact, int fd, const std::string& path)
      : model_(model), exact_(exact), path_(path) {
    check_model(kinglet_model_open_fd(fd, 0, 0, &open_.model));
    info_.struct_size = sizeof(info_);
    check_model(kinglet_model_get_info(open_.model, &info_));
    kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
    options.max_length = std::min(kMaxSampleTokens, model.max_length);
    options.raw_outputs = 1;
    check_session(kinglet_session_create(open_.model, &options, &session_.session));
  }

  std::vector<Sample> run() {
    std::vector<Sample> samples;
    for (uint32_t i = 0; i < std::size(kTexts); ++i) {
      Sample sample = info_.has_tokenizer != 0 ? tokenize(kTexts[i]) : make_up(i);
      if (!sample.ids.empty()) {
        compute(&sample);
        samples.push_back(std::move(sample));
      }
    }
    return samples;
  }

 private:
  void check_model(kinglet_status status) const {
    if (status != KINGLET_OK) {
      // The runtime calls a file by its descriptor.
      std::string cause = kinglet_model_message(open_.model);
      if (const size_t place = cause.find(": "); cause.starts_with("descriptor ") && place != std::string::npos) {
        cause.erase(0, place + 2);
      }
      refuse(path_, ": the converted model does not open: ", cause);
    }
  }

  void check_session(kinglet_status status) const {
    if (status != KINGLET_OK) {
      refuse(path_, ": the converted model does not run: ", kinglet_session_message(session_.session));
    }
  }

  Sample tokenize(const char* text) {
    Sample sample;
    sample.text = text;
    sample.ids.resize(kMaxSampleTokens);
    sample.type_ids.resize(kMaxSampleTokens);
    kinglet_input input = {};
    input.text = text;
    input.text_length = sample.text.size();
    size_t count = 0;
    int truncated = 0;
    check_session(kinglet_tokenize(session_.session, &input, std::min(kMaxSampleTokens, model_.max_length),
                                   sample.ids.data(), sample.type_ids.data(), nullptr, kMaxSampleTokens, &count,
                                   &truncated));
    sample.ids.resize(count);
    sample.type_ids.resize(count);
    if (truncated != 0) {
      sample.text.clear();  // the ids are not all of the text's
    }
    return sample;
  }

  Sample make_up(uint32_t which) const {
    Sample sample;
    for (uint32_t i = 0; i < std::min(kMadeUpTokens, model_.max_length); ++i) {
      sample.ids.push_back(static_cast<int32_t>((7919 * (i + 1) + 104729 * which) % model_.vocabulary));
      sample.type_ids.push_back(0);
    }
    return sample;
  }

  void compute(Sample* sample) {
    kinglet_input input = {};
    input.ids = sample->ids.data();
    input.type_ids = sample->type_ids.data();
    input.id_count = sample->ids.size();
    check_session(kinglet_encode(session_.session, &input, 1, nullptr));
    kinglet_output output = {};
    check_session(kinglet_session_output(session_.session, 0, 0, &output));
    size_t count = 1;
    for (uint32_t i = 0; i < output.rank; ++i) {
      count *= output.shape[i];
    }
    sample->output = output.name;
    sample->values.assign(output.data, output.data + std::min<size_t>(count, kMaxSampleValues));
    if (!exact_) {
      float largest = 1;
      for (const float value : sample->values) {
        largest = std::max(largest, std::fabs(value));
      }
      sample->tolerance = kTolerance * largest;
    }
  }

  const ModelIR& model_;
  bool exact_;
  const std::string& path_;
  OpenModel open_;
  OpenSession session_;
  kinglet_model_info info_ = {};
};

}  // namespace

std::vector<Sample> largest_samples(const ModelIR& model) {
  std::vector<Sample> samples;
  for (const char* text : kTexts) {
    samples.push_back({text, std::vector<int32_t>(kMaxSampleTokens), std::vector<int32_t>(kMaxSampleTokens),
                       model.outputs.front().name, std::vector<float>(kMaxSampleValues), 1});
  }
  return samples;
}

std::vector<Sample> record_samples(const ModelIR& model, bool exact, int fd, const std::string& path) {
  return Recorder(model, exact, fd, path).run();
}

}  // namespace kinglet::convert
