// From a model as its family built it to one in 8 bits: the order of the passes, with what the options ask for.
#pragma once

#include "convert.h"
#include "ir/model_ir.h"
#include "tokenizers/compile.h"
#include "writer/model_file.h"

namespace kinglet::convert {

// Throws Error. `tokenizer` may be null, but not where texts are to be read. Adds to `result` what passes found out.
void quantize_model(const ConvertOptions& options, const CompiledTokenizer* tokenizer, const Progress& progress,
                    ModelIR* model, ConvertResult* result);

}  // namespace kinglet::convert
