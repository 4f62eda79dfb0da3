// What the teacher says of every text, computed once and kept in memory and on disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "train/engine.h"
#include "train/examples.h"

namespace kinglet::train {

class TeacherLogits {
 public:
  // How many bytes the logits of these texts take: what --cache bounds. `outputs` per text or per token.
  static uint64_t bytes(Kind kind, const std::vector<Example>& examples, uint32_t outputs);

  // A batch's logits: [rows, outputs] or [rows, columns, outputs].
  using Ask = std::function<std::vector<float>(const Batch&)>;

  // Reads them from `path`, where an earlier run with the same `fingerprint` left them, or asks for them in an order
  // that follows from the texts alone and writes them there. Throws convert::Error.
  TeacherLogits(const Ask& ask, Kind kind, const std::vector<Example>& examples, uint32_t outputs,
                const std::filesystem::path& path, const std::string& fingerprint,
                const std::function<void(double fraction)>& progress);

  // Puts those of the batch's texts into it.
  void fill(Batch& batch) const;

 private:
  bool per_token_;
  uint32_t outputs_;
  std::vector<size_t> begins_;  // of every text's numbers
  std::vector<float> numbers_;
};

}  // namespace kinglet::train
