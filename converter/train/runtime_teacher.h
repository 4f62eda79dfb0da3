// A teacher that kinglet's own runtime computes in int8: several times faster than libtorch in fp32, and its logits are
// those that `kinglet eval` judges it by.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "kinglet.hpp"
#include "train/engine.h"

namespace kinglet::train {

class RuntimeTeacher {
 public:
  // Converts the checkpoint to `file`, which is removed at the end. Throws convert::Error.
  RuntimeTeacher(const std::filesystem::path& checkpoint, const std::filesystem::path& file, Kind kind,
                 uint32_t max_length, uint32_t threads);
  ~RuntimeTeacher();
  RuntimeTeacher(const RuntimeTeacher&) = delete;
  RuntimeTeacher& operator=(const RuntimeTeacher&) = delete;

  // [rows, outputs], or [rows, columns, outputs] with zeros behind each text's end. Throws convert::Error.
  std::vector<float> logits(const Batch& batch);

 private:
  Session open(uint32_t max_length, uint32_t threads) const;

  std::filesystem::path file_;
  bool per_token_;
  Model model_;
  std::vector<uint32_t> outputs_;  // indices of the outputs that are the logits
  Session session_;
};

}  // namespace kinglet::train
