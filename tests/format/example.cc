// The example model, and opening it.
#include "format/example.h"

#include <cstring>
#include <memory>
#include <stdexcept>

namespace kinglet::test {

ModelSpec example(bool int8) {
  BertOptions options;
  options.int8 = int8;
  options.layers = 1;
  options.width = 36;
  options.inner = 44;
  options.task = fmt::Task::classify;
  ModelSpec spec = small_bert(options);
  spec.prompts = {{"query", "query: "}, {"passage", "passage:\t"}};
  spec.default_prompt = 0;
  spec.samples = {{"a text", {1, 2, 3}, {0, 0, 1}, "logits", {0.5f, -0.25f}, 0}};
  spec.provenance = {"a test", "0.1.0", {"quantize"}, {{"sst2", "accuracy", 0.9}}};
  return spec;
}

uint32_t tensor_id(const ModelSpec& spec, const std::string& name) {
  for (uint32_t id = 0; id < spec.tensors.size(); ++id) {
    if (spec.tensors[id].name == name) {
      return id;
    }
  }
  throw std::runtime_error("no tensor " + name);
}

TensorSpec& tensor(ModelSpec& spec, const std::string& name) { return spec.tensors[tensor_id(spec, name)]; }

kinglet_status open_status(const Bytes& file, std::string* message) {
  // A copy of exactly this size, so that a sanitizer sees a byte read beyond it. Empty memory still has an address.
  const std::unique_ptr<uint8_t[]> copy(new uint8_t[file.size()]);
  if (!file.empty()) {
    std::memcpy(copy.get(), file.data(), file.size());
  }
  Model model;
  Error error;
  const kinglet_status status = model.open_memory(copy.get(), file.size(), error);
  *message = error.message;
  return status;
}

void check_refused(const Bytes& file, kinglet_status status, const std::string& part) {
  std::string message;
  CHECK(open_status(file, &message) == status);
  CAPTURE(message);
  CAPTURE(part);
  CHECK(message.find(part) != std::string::npos);
  CHECK(message.size() < 500);
}

void check_refused(const ModelSpec& spec, kinglet_status status, const std::string& part) {
  check_refused(build_model(spec), status, part);
}

}  // namespace kinglet::test
