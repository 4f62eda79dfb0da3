// Runs the samples that a model file carries.
#include <cmath>
#include <cstring>

#include "api/handles.h"

namespace {

using kinglet::Error;
using kinglet::fail;
namespace fmt = kinglet::fmt;

struct SessionOwner {
  kinglet_session* session = nullptr;
  ~SessionOwner() { kinglet_session_close(session); }
};

uint32_t output_index(const fmt::Model& table, const char* name) {
  uint32_t index = 0;
  while (table.outputs()->Get(index)->name()->string_view() != name) {
    ++index;  // the semantic pass has made sure that there is one
  }
  return index;
}

kinglet_status compare(const fmt::Sample& sample, uint32_t index, const kinglet_output& view, Error& error) {
  size_t size = 1;
  for (uint32_t i = 0; i < view.rank; ++i) {
    size *= view.shape[i];
  }
  if (size < sample.values()->size()) {
    return fail(error, KINGLET_BAD_MODEL, "sample %u: output '%s' has %zu numbers, the file expects %u", index,
                view.name, size, sample.values()->size());
  }
  for (uint32_t i = 0; i < sample.values()->size(); ++i) {
    const float expected = sample.values()->Get(i);
    const bool equal = sample.tolerance() == 0 ? std::memcmp(&expected, &view.data[i], sizeof(float)) == 0
                                               : std::fabs(expected - view.data[i]) <= sample.tolerance();
    if (!equal) {
      return fail(error, KINGLET_BAD_MODEL, "sample %u: output '%s'[%u] is %.9g, the file expects %.9g within %g",
                  index, view.name, i, static_cast<double>(view.data[i]), static_cast<double>(expected),
                  static_cast<double>(sample.tolerance()));
    }
  }
  return KINGLET_OK;
}

kinglet_status run_sample(kinglet_model* model, const fmt::Sample& sample, uint32_t index) {
  kinglet_session_options options = KINGLET_SESSION_OPTIONS_INIT;
  options.max_length = sample.ids()->size();
  options.raw_outputs = 1;
  SessionOwner owner;
  kinglet_input input = {};
  input.ids = sample.ids()->data();
  input.type_ids = sample.type_ids()->data();
  input.id_count = sample.ids()->size();
  kinglet_output view;
  kinglet_status status = kinglet_session_create(model, &options, &owner.session);
  if (status == KINGLET_OK) {
    status = kinglet_encode(owner.session, &input, 1, nullptr);
  }
  if (status == KINGLET_OK) {
    const uint32_t output = output_index(model->model.table(), sample.output()->c_str());
    status = kinglet_session_output(owner.session, 0, output, &view);
  }
  if (status != KINGLET_OK) {
    return fail(model->error, status, "sample %u: %.400s", index, kinglet_session_message(owner.session));
  }
  return compare(sample, index, view, model->error);
}

}  // namespace

kinglet_status kinglet_model_self_test(kinglet_model* model) {
  if (model == nullptr || !model->open) {
    return KINGLET_INVALID_ARGUMENT;
  }
  const auto* samples = model->model.table().samples();
  for (uint32_t i = 0; samples != nullptr && i < samples->size(); ++i) {
    KINGLET_TRY(run_sample(model, *samples->Get(i), i));
  }
  return KINGLET_OK;
}
