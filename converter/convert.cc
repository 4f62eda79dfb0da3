// From a checkpoint to a file: find, read, build, change, write.
#include "convert.h"

#include <system_error>

#include "base/text.h"
#include "error.h"
#include "passes/passes.h"
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

ConvertResult run(const ConvertOptions& options, const Progress& progress) {
  if (options.precision != "int8" && options.precision != "fp32") {
    refuse("the precision ", quote(options.precision), " is not known, expected int8 or fp32");
  }
  OutputFile file(options.output);
  SourceModel source = read_source_model(options.source, options.task, options.labels, progress);
  check_distinct(options.output, source.files);
  ModelIR& model = source.model;
  ConvertResult result;
  result.source_bytes = source.bytes;
  if (options.precision == "int8") {
    fold_attention(model);
    quantize(model, options.keep_fp32);
  } else if (!options.keep_fp32.empty()) {
    refuse("patterns of matrices that stay fp32 go with the precision int8");
  }
  result.output_bytes =
      write_model(model, source.tokenizer.get(), {options.precision, source.provenance}, file, progress);
  progress("done", 1);
  return result;
}

}  // namespace

ConvertResult convert(const ConvertOptions& options) {
  const Progress progress = options.progress ? options.progress : [](const std::string&, double) {};
  try {
    return run(options, progress);
  } catch (const std::bad_alloc&) {
    refuse(options.source.string(), ": there is not enough memory to convert it");
  } catch (const fs::filesystem_error& error) {
    refuse(options.source.string(), ": ", error.code().message());
  }
}

}  // namespace kinglet::convert
