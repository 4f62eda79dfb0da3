// The converter's one entry: a checkpoint in, a .kgl file out.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "report/report.h"
#include "writer/output_file.h"

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
  size_t calibration_texts = 128;  // drawn from the file
  uint64_t calibration_seed = 1;
  bool sensitivity = false;  // measure every matrix on the calibration texts
  // Keep the fewest matrices in fp32 with which the loss is at most this many points: of the usual metric on the data
  // file `dev`; without one, per cent of the calibration texts with another label, or 100·(1 − mean cosine).
  std::optional<double> max_loss;
  std::filesystem::path dev;           // a data file to measure on (eval/evaluate.h); empty: nothing is measured
  // Called as work proceeds: what is being done and the fraction done, 0 to 1.
  std::function<void(const std::string& what, double fraction)> progress;
};

struct ConvertResult {
  uint64_t source_bytes = 0;  // of the checkpoint's weight files
  uint64_t output_bytes = 0;
  std::vector<std::filesystem::path> source_files;  // the checkpoint's weight files
  // For the report: what passes found out.
  std::vector<Sensitivity> sensitivities;
  std::string sensitivity_meaning;
  std::vector<std::string> notes;
  // With a report and data: what was measured before and after (report/convert_report.h).
  std::vector<Measurement> measurements;
  std::vector<AgreementFact> agreement;
};

// Throws Error (error.h) with one line that says what was wrong, where, and what was expected; the output is then as
// it was before. Thread-safe for different outputs.
ConvertResult convert(const ConvertOptions& options);
// The same into a file that is already there, for example one without a name; options.output is not looked at.
ConvertResult convert(const ConvertOptions& options, OutputFile& file);

}  // namespace kinglet::convert
