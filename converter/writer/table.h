// The FlatBuffer of a .kgl file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ir/model_ir.h"
#include "tokenizers/compile.h"
#include "writer/layout.h"

namespace kinglet::convert {

// A sample that the file checks itself with; see fmt::Sample.
struct Sample {
  std::string text;
  std::vector<int32_t> ids, type_ids;
  std::string output;
  std::vector<float> values;
  float tolerance = 0;
};

struct TableContents {
  const ModelIR& model;
  const Layout& layout;
  const CompiledTokenizer* tokenizer;  // may be null
  std::string precision, source, converter;
};

// The finished FlatBuffer. Its size depends on the lengths of the vectors and strings only.
std::vector<uint8_t> build_table(const TableContents& contents, const std::vector<Sample>& samples,
                                 const std::vector<uint64_t>& checksums);

}  // namespace kinglet::convert
