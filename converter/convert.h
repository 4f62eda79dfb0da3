// The converter's one entry: a checkpoint in, a .kgl file out.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace kinglet::convert {

struct ConvertOptions {
  std::filesystem::path
      source;  // a Hugging Face or sentence-transformers folder, one of the hub cache, or a weights file inside one
  std::filesystem::path output;        // replaced atomically; its folder must exist
  std::string precision = "int8";      // "int8" or "fp32"
  std::optional<std::string> task;     // "embed", "classify", … instead of what the checkpoint says
  std::vector<std::string> labels;     // instead of id2label
  std::vector<std::string> keep_fp32;  // glob patterns over matrix names that stay fp32
  // Texts to calibrate int8 with (calibrate/texts.h); empty: rounding looks at the weights alone. Different machines
  // may choose differently, as the fp32 program's last bits differ.
  std::filesystem::path calibration;
  size_t calibration_texts = 256;  // drawn from the file
  uint64_t calibration_seed = 1;
  // Called as work proceeds: what is being done and the fraction done, 0 to 1.
  std::function<void(const std::string& what, double fraction)> progress;
};

struct ConvertResult {
  uint64_t source_bytes = 0;  // of the checkpoint's weight files
  uint64_t output_bytes = 0;
};

// Throws Error (error.h) with one line that says what was wrong, where, and what was expected; the output is then as
// it was before. Thread-safe for different outputs.
ConvertResult convert(const ConvertOptions& options);

}  // namespace kinglet::convert
