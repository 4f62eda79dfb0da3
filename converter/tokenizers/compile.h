// A checkpoint folder's tokenizer compiled into the tables of runtime/format/tokenizer.fbs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "flatbuffers/flatbuffers.h"
#include "tokenizer_generated.h"

namespace kinglet::convert {

// A compiled tokenizer that can be written into any number of FlatBuffers.
class CompiledTokenizer {
 public:
  virtual ~CompiledTokenizer() = default;
  virtual flatbuffers::Offset<fmt::Tokenizer> write(flatbuffers::FlatBufferBuilder& builder) const = 0;
  virtual uint32_t size() const = 0;              // ids are below this
  virtual uint64_t model_max_length() const = 0;  // 0: none, or 1e29 and more
  // The id of a special token by its attribute ("mask_token"); nothing when there is none.
  virtual std::optional<uint32_t> special_id(const std::string& attribute) const = 0;
  // Whether pieces inside a word are marked, that is tokenizers' model.continuing_subword_prefix is not empty.
  virtual bool marks_pieces() const = 0;
  // clean_up_tokenization_spaces of tokenizer_config.json.
  virtual bool cleans_up_spaces() const = 0;
};

// Reads tokenizer.json, or vocab.txt when there is none, with what tokenizer_config.json and special_tokens_map.json
// override, as AutoTokenizer of transformers 4.57.3 does. Null when the folder has no tokenizer files at all. Throws
// Error when they are broken or use a component that is not implemented (by its name).
std::unique_ptr<CompiledTokenizer> compile_tokenizer(const std::filesystem::path& folder);

}  // namespace kinglet::convert
