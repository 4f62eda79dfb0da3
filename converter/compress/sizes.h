// What a .kgl file of another model would weigh, without making it: the program with other shapes and no numbers is
// laid out as the writer would lay it out.
#pragma once

#include <cstdint>
#include <filesystem>

#include "compress/plan.h"
#include "ir/model_ir.h"
#include "source_model.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::compress {

// Of the weights of `model` in int8.
uint64_t weight_bytes(const convert::ModelIR& model);
// Of the input scales that calibration may add, at most.
uint64_t calibration_bytes(const convert::ModelIR& model);
// Of a tokenizer's tables.
uint64_t tokenizer_bytes(const convert::CompiledTokenizer& tokenizer);

// The same model with another number of tokens.
convert::ModelIR with_vocabulary(convert::ModelIR model, uint32_t tokens);

// A file of this model by its number of tokens, `other` bytes being neither weights nor tokenizer.
FileBytes file_bytes(const convert::ModelIR& model, uint64_t other);

// Heads and neurons of a model that can be pruned, at texts of `length` tokens. Throws convert::Error for others.
EncoderBytes encoder_bytes(const convert::ModelIR& model, double length);

// Multiplications per token in the encoder's matrices.
double matrix_work(const convert::ModelIR& model);

// The program of a folder that was not written yet: shapes without numbers.
convert::ModelIR shapes_of(const convert::CheckpointFolder& folder);

}  // namespace kinglet::compress
