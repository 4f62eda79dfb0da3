// A whole .kgl file from a model.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "ir/model_ir.h"
#include "tokenizers/compile.h"
#include "writer/output_file.h"

namespace kinglet::convert {

struct FileFacts {
  std::string precision;  // "int8" or "fp32"
  std::string source;     // for the provenance
};

using Progress = std::function<void(const std::string& what, double fraction)>;

// Writes the model to `file`, runs it to record its samples, and commits the file. `tokenizer` may be null. Returns the
// file's bytes. Throws Error.
uint64_t write_model(const ModelIR& model, const CompiledTokenizer* tokenizer, const FileFacts& facts, OutputFile& file,
                     const Progress& progress);

}  // namespace kinglet::convert
