// From a checkpoint to a file: read, change, write.
#include "convert.h"

#include <new>
#include <system_error>

#include "base/text.h"
#include "error.h"
#include "quantize_model.h"
#include "readers/source_folder.h"
#include "source_model.h"
#include "writer/model_file.h"
#include "writer/output_file.h"

namespace kinglet::convert {

namespace fs = std::filesystem;

namespace {

// The output must not be one of the files that are read.
void check_distinct(const fs::path& output, const std::vector<fs::path>& files) {
  for (const fs::path& file : files) {
    std::error_code ignored;
    if (fs::equivalent(output, file, ignored)) {
      refuse(output.string(), ": is a file of the checkpoint itself, expected another name for the output");
    }
  }
}

ConvertResult run(const ConvertOptions& options, OutputFile* given, const Progress& progress) {
  if (options.precision != "int8" && options.precision != "fp32") {
    refuse("the precision ", quote(options.precision), " is not known, expected int8 or fp32");
  }
  find_source(options.source);  // before the output, for the sake of the message
  std::optional<OutputFile> own;
  OutputFile& file = given != nullptr ? *given : own.emplace(options.output);
  SourceModel source = read_source_model(options.source, options.task, options.labels, progress);
  check_distinct(file.path(), source.files);
  ConvertResult result;
  result.source_bytes = source.bytes;
  result.source_files = source.files;
  ModelIR& model = source.model;
  const CompiledTokenizer* tokenizer = source.tokenizer.get();
  if (options.precision == "int8") {
    quantize_model(options, tokenizer, progress, &model, &result);
  } else if (!options.keep_fp32.empty()) {
    refuse("patterns of matrices that stay fp32 go with the precision int8");
  } else if (!options.calibration.empty() || options.sensitivity || options.max_loss) {
    refuse("calibration goes with the precision int8");
  }
  result.output_bytes = write_model(model, tokenizer, {options.precision, source.provenance}, file, progress);
  progress("done", 1);
  return result;
}

ConvertResult guarded(const ConvertOptions& options, OutputFile* given) {
  const Progress progress = options.progress ? options.progress : [](const std::string&, double) {};
  try {
    return run(options, given, progress);
  } catch (const std::bad_alloc&) {
    refuse(options.source.string(), ": there is not enough memory to convert it");
  } catch (const fs::filesystem_error& error) {
    refuse(options.source.string(), ": ", error.code().message());
  }
}

}  // namespace

ConvertResult convert(const ConvertOptions& options) { return guarded(options, nullptr); }

ConvertResult convert(const ConvertOptions& options, OutputFile& file) { return guarded(options, &file); }

}  // namespace kinglet::convert
