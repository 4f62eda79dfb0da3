// A model cut to the values, written to a file without a name, and run.
#include "calibrate/activations.h"

#include <algorithm>

#include "base/text.h"
#include "ir/cut.h"
#include "kinglet.h"
#include "writer/model_file.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kMostAtOnce = 16;  // inputs of a batch

struct ModelCloser {
  void operator()(kinglet_model* model) const { kinglet_model_close(model); }
};
struct SessionCloser {
  void operator()(kinglet_session* session) const { kinglet_session_close(session); }
};

bool has_rounding(const ModelIR& model) {
  return std::any_of(model.tensors.begin(), model.tensors.end(),
                     [](const Tensor& tensor) { return tensor.storage != Storage::f32; });
}

kinglet_input to_input(const CalibrationInput& input) {
  kinglet_input out = {};
  if (!input.ids.empty()) {
    out.ids = input.ids.data();
    out.type_ids = input.type_ids.empty() ? nullptr : input.type_ids.data();
    out.id_count = input.ids.size();
    return out;
  }
  out.text = input.text.data();
  out.text_length = input.text.size();
  if (input.pair) {
    out.pair = input.pair->data();
    out.pair_length = input.pair->size();
  }
  return out;
}

}  // namespace

class WatchedModel::Impl {
 public:
  Impl(const ModelIR& model, const CompiledTokenizer* tokenizer, const std::vector<uint32_t>& values,
       const RunOptions& options)
      : file_(OutputFile::nameless("the model to calibrate with")), value_count_(values.size()) {
    const ModelIR cut = cut_to_values(model, values);
    write_model(cut, tokenizer, {has_rounding(cut) ? "int8" : "fp32", "calibration"}, file_,
                [](const std::string&, double) {});
    kinglet_model* opened = nullptr;
    const kinglet_status status = kinglet_model_open_fd(file_.descriptor(), 0, 0, &opened);
    model_.reset(opened);
    check(status, kinglet_model_message(opened));
    kinglet_session_options session_options = KINGLET_SESSION_OPTIONS_INIT;
    session_options.threads = options.threads;
    session_options.raw_outputs = 1;
    session_options.max_length =
        options.max_length == 0 ? cut.max_length : std::min(options.max_length, cut.max_length);
    // What a batch computes and does not show is about as much again.
    size_t width = 0;
    for (const uint32_t value : values) {
      width += 2 * sizeof(float) * model.values[value].width;
    }
    batch_ = static_cast<uint32_t>(
        std::clamp<size_t>(options.memory / (width * session_options.max_length + 1), 1, kMostAtOnce));
    session_options.batch = batch_;
    kinglet_session* session = nullptr;
    const kinglet_status created = kinglet_session_create(opened, &session_options, &session);
    session_.reset(session);
    check(created, kinglet_session_message(session));
  }

  void run(const std::vector<CalibrationInput>& inputs, const RowVisitor& visit) {
    std::vector<kinglet_input> batch;
    for (size_t first = 0; first < inputs.size(); first += batch.size()) {
      batch.clear();
      for (size_t i = first; i < std::min<size_t>(inputs.size(), first + batch_); ++i) {
        batch.push_back(to_input(inputs[i]));
      }
      if (kinglet_encode(session_.get(), batch.data(), batch.size(), nullptr) != KINGLET_OK) {
        refuse("calibration texts ", first + 1, " to ", first + batch.size(), ": ",
               kinglet_session_message(session_.get()));
      }
      for (size_t i = 0; i < batch.size(); ++i) {
        for (size_t which = 0; which < value_count_; ++which) {
          kinglet_output output = {};
          check(kinglet_session_output(session_.get(), i, static_cast<uint32_t>(which), &output),
                kinglet_session_message(session_.get()));
          const size_t rows = output.rank == 2 ? output.shape[0] : 1;
          visit({which, first + i, output.data, rows, output.shape[output.rank - 1]});
        }
      }
    }
  }

 private:
  static void check(kinglet_status status, const char* message) {
    if (status != KINGLET_OK) {
      refuse("the model to calibrate with does not run: ", message);
    }
  }

  OutputFile file_;
  size_t value_count_;
  uint32_t batch_ = 1;
  std::unique_ptr<kinglet_model, ModelCloser> model_;
  std::unique_ptr<kinglet_session, SessionCloser> session_;
};

WatchedModel::WatchedModel(const ModelIR& model, const CompiledTokenizer* tokenizer,
                           const std::vector<uint32_t>& values, const RunOptions& options)
    : impl_(std::make_unique<Impl>(model, tokenizer, values, options)) {}

WatchedModel::~WatchedModel() = default;

void WatchedModel::run(const std::vector<CalibrationInput>& inputs, const RowVisitor& visit) {
  impl_->run(inputs, visit);
}

}  // namespace kinglet::convert
