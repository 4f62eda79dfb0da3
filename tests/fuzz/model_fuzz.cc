// Any bytes as a model in memory. Checksums are not compared, or no input would come beyond them; everything after
// them runs, and what opens is read from end to end.
#include <cstdint>
#include <cstdlib>

#include "model/model.h"

namespace kinglet {

struct ModelFuzzer {
  static kinglet_status open(Model& model, const uint8_t* data, size_t size, Error& error) {
    KINGLET_TRY(model.file_.open_memory(data, size, error));
    return model.load(false, error);
  }
};

namespace {

void expect(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void read_everything(const Model& model) {
  unsigned sum = 0;
  const auto& tensors = *model.table().tensors();
  for (uint32_t id = 0; id < tensors.size(); ++id) {
    uint64_t bytes = 0;
    expect(tensor_bytes(*tensors[id], &bytes));
    const auto* data = static_cast<const uint8_t*>(model.tensor(id));
    sum += data[0] + data[bytes - 1];
    uint8_t last = 0;
    Error error;
    expect(model.read_tensor(id, bytes - 1, &last, 1, error) == KINGLET_OK && last == data[bytes - 1]);
  }
  volatile unsigned sink = sum;
  (void)sink;
}

}  // namespace
}  // namespace kinglet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kinglet::Model model;
  kinglet::Error error;
  if (kinglet::ModelFuzzer::open(model, data, size, error) == KINGLET_OK) {
    kinglet::read_everything(model);
  } else {
    kinglet::expect(error.status != KINGLET_OK && error.message[0] != '\0');
  }
  return 0;
}
