#include "support/checkpoints.h"

#include <cmath>
#include <stdexcept>

#include "convert.h"

namespace kinglet::test {

void convert_checkpoint(const std::filesystem::path& source, const std::filesystem::path& output,
                        const std::string& precision) {
  convert::ConvertOptions options;
  options.source = source;
  options.output = output;
  options.precision = precision;
  convert::convert(options);
}

OpenSession::OpenSession(const std::filesystem::path& file, kinglet_session_options options) {
  if (kinglet_model_open_path(file.c_str(), &model) != KINGLET_OK) {
    const std::string message = kinglet_model_message(model);
    kinglet_model_close(model);
    throw std::runtime_error(message);
  }
  if (kinglet_session_create(model, &options, &session) != KINGLET_OK) {
    const std::string message = kinglet_session_message(session);
    kinglet_session_close(session);
    kinglet_model_close(model);
    throw std::runtime_error(message);
  }
  info.struct_size = sizeof(info);
  kinglet_model_get_info(model, &info);
}

OpenSession::~OpenSession() {
  kinglet_session_close(session);
  kinglet_model_close(model);
}

std::vector<std::vector<float>> encode_all(OpenSession& open, const std::vector<kinglet_input>& inputs) {
  if (kinglet_encode(open.session, inputs.data(), inputs.size(), nullptr) != KINGLET_OK) {
    throw std::runtime_error(kinglet_session_message(open.session));
  }
  std::vector<std::vector<float>> results(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (uint32_t j = 0; j < open.info.output_count; ++j) {
      kinglet_output view;
      if (kinglet_session_output(open.session, i, j, &view) != KINGLET_OK) {
        throw std::runtime_error(kinglet_session_message(open.session));
      }
      size_t size = 1;
      for (uint32_t d = 0; d < view.rank; ++d) {
        size *= view.shape[d];
      }
      results[i].insert(results[i].end(), view.data, view.data + size);
    }
  }
  return results;
}

double cosine(const float* a, const float* b, size_t size) {
  double product = 0, a2 = 0, b2 = 0;
  for (size_t i = 0; i < size; ++i) {
    product += double{a[i]} * b[i];
    a2 += double{a[i]} * a[i];
    b2 += double{b[i]} * b[i];
  }
  return product / std::sqrt(a2 * b2);
}

}  // namespace kinglet::test
