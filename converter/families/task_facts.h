// What the tasks need to know beside the program: special tokens, and the activation of a cross-encoder.
#pragma once

#include <filesystem>

#include "base/json_file.h"
#include "ir/model_ir.h"
#include "tokenizers/compile.h"

namespace kinglet::convert {

// Fills model->special_tokens from the tokenizer (which may be null), and model->rank_scoring from the configuration
// as CrossEncoder of sentence-transformers does. Throws Error for an activation that is not implemented, and for a
// question-answering model whose tokenizer pads on the left, since its pipeline puts the context before the question.
void add_task_facts(const std::filesystem::path& folder, const JsonObject& config, const CompiledTokenizer* tokenizer,
                    ModelIR* model);

}  // namespace kinglet::convert
