// A teacher that kinglet's own runtime computes in int8: several times faster than libtorch in fp32, and its logits are
// those that `kinglet eval` judges it by.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet.hpp"
#include "report/converted_model.h"
#include "train/engine.h"

namespace kinglet::train {

class RuntimeTeacher {
 public:
  // Throws convert::Error.
  RuntimeTeacher(const std::filesystem::path& checkpoint, Kind kind, uint32_t max_length, uint32_t threads);

  // [rows, outputs], or [rows, columns, outputs] with zeros behind each text's end. Throws convert::Error.
  std::vector<float> logits(const Batch& batch);

 private:
  Session open(uint32_t max_length, uint32_t threads) const;

  bool per_token_;
  convert::ConvertedModel model_;
  std::vector<uint32_t> outputs_;  // indices of the outputs that are the logits
  Session session_;
};

}  // namespace kinglet::train
