// Builds .kgl files in memory from plain structs, for tests: valid ones, and broken in any one place.
// Add tests/support/model_builder.cc to the SOURCES of the test.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "model_generated.h"

namespace kinglet::test {

using Bytes = std::vector<uint8_t>;

// These mirror the tables of runtime/format/model.fbs.
struct TensorSpec {
  std::string name;
  fmt::DType dtype = fmt::DType::f32;
  fmt::Layout layout = fmt::Layout::rows;
  std::vector<uint32_t> shape;
  Bytes bytes;
  std::optional<uint64_t> offset;  // instead of the place where `build_model` puts the bytes
};

struct MatrixSpec {
  uint32_t weight = 0;
  int32_t scale = -1, column_sum = -1, bias = -1, input_scale = -1;
};

struct NormSpec {
  fmt::NormKind kind = fmt::NormKind::layer;
  uint32_t weight = 0;
  int32_t bias = -1;
  float epsilon = 1e-12f;
};

struct ValueSpec {
  fmt::Extent extent = fmt::Extent::tokens;
  uint32_t width = 0;
};

struct EmbedTableSpec {
  fmt::EmbedIndex index = fmt::EmbedIndex::token;
  uint32_t table = 0;
  int32_t scale = -1;
  uint32_t base = 0;
  uint32_t column = 0;
};

struct EmbedSpec {
  std::vector<EmbedTableSpec> tables;
  int32_t norm = -1;
  uint32_t out = 0;
};

struct LinearSpec {
  uint32_t in = 0, matrix = 0;
  int32_t gate = -1;
  fmt::Activation activation = fmt::Activation::none;
  uint32_t out = 0;
};

struct DisentangledSpec {
  int32_t content_to_position = -1, content_to_position_scale = -1;
  int32_t position_to_content = -1, position_to_content_scale = -1;
  std::vector<uint32_t> rows = {0};
};

struct AttentionSpec {
  uint32_t query_in = 0, key_in = 0, value_in = 0;
  uint32_t query = 0, key = 0, value = 0;
  uint32_t heads = 1, head_dim = 1;
  float logit_scale = 1;
  bool quantized = false;
  uint32_t out = 0;
  int32_t relative_bias = -1, rotary = -1;
  uint32_t window = 0;
  std::vector<DisentangledSpec> disentangled;  // none or one
};

struct AddNormSpec {
  uint32_t in = 0;
  int32_t residual = -1, norm = -1;
  uint32_t out = 0;
};

struct PoolSpec {
  uint32_t in = 0;
  fmt::PoolKind kind = fmt::PoolKind::mean;
  uint32_t out = 0;
};

struct NormalizeSpec {
  uint32_t in = 0, out = 0;
};

struct NeighboursSpec {
  uint32_t in = 0, before = 0, after = 0, out = 0;
};

struct StepSpec {
  std::variant<EmbedSpec, LinearSpec, AttentionSpec, AddNormSpec, PoolSpec, NormalizeSpec, NeighboursSpec> op;
  std::optional<fmt::Op> type;  // instead of the operation's own
};

struct OutputSpec {
  std::string name;
  uint32_t value = 0;
  int32_t column = -1;
};

struct PromptSpec {
  std::string name, text;
};

struct SampleSpec {
  std::string text;
  std::vector<int32_t> ids, type_ids;
  std::string output;
  std::vector<float> values;
  float tolerance = 0;
};

struct AccuracySpec {
  std::string data, metric;
  double value = 0;
};

struct ProvenanceSpec {
  std::string source, converter;
  std::vector<std::string> passes;
  std::vector<AccuracySpec> accuracy;
};

struct SpecialTokensSpec {
  int32_t cls = -1, mask = -1, unknown = -1;
  bool marked_pieces = false;
};

struct ModelSpec {
  std::string architecture = "bert", precision = "fp32";
  std::vector<TensorSpec> tensors;
  std::vector<MatrixSpec> matrices;
  std::vector<NormSpec> norms;
  std::vector<ValueSpec> values;
  std::vector<StepSpec> program;
  std::vector<OutputSpec> outputs;
  uint32_t max_length = 1, max_positions = 1, vocabulary = 1, type_count = 1;
  fmt::Task task = fmt::Task::none;
  fmt::Scoring scoring = fmt::Scoring::softmax;
  std::vector<std::string> labels;
  int32_t embedding = -1, logits = -1;
  std::vector<PromptSpec> prompts;
  int32_t default_prompt = -1;
  // Builds the tokenizer's table, when the model is to have one.
  std::function<flatbuffers::Offset<fmt::Tokenizer>(flatbuffers::FlatBufferBuilder&)> tokenizer;
  std::vector<SampleSpec> samples;
  std::optional<ProvenanceSpec> provenance;
  std::optional<SpecialTokensSpec> special_tokens;
  fmt::Scoring rank_scoring = fmt::Scoring::sigmoid;
  int extra_block_checksums = 0;  // more (or fewer) than there are blocks

  // Each returns the id of what it adds.
  uint32_t add_tensor(TensorSpec tensor);
  uint32_t add_f32(std::string name, std::vector<uint32_t> shape, const std::vector<float>& values);
  uint32_t add_value(fmt::Extent extent, uint32_t width);
  // y = x·Wᵀ + b with `weights` [n, k] row-major: f32, or quantised to s8 tiles with a scale per row. No bias: empty.
  uint32_t add_matrix(const std::string& name, uint32_t n, uint32_t k, const std::vector<float>& weights,
                      const std::vector<float>& bias, bool int8);
  // An embedding table of `rows` [n, width]: f32, or s8 with a scale per row.
  EmbedTableSpec add_embedding(const std::string& name, fmt::EmbedIndex index, uint32_t n, uint32_t width,
                               const std::vector<float>& rows, bool int8);
};

// The bytes of a .kgl file. Nothing is checked: what the spec says is what the file says.
Bytes build_model(const ModelSpec& spec);

// Computes all checksums of a file anew after its bytes were changed. Does nothing about a table that is not valid.
void seal_model(Bytes& file);

// The smallest tokenizer there is, for ModelSpec::tokenizer: its only token, 0, is "[UNK]", one for every word.
flatbuffers::Offset<fmt::Tokenizer> smallest_tokenizer(flatbuffers::FlatBufferBuilder& builder);

// A small BERT with random weights: embeddings, `layers` layers, and mean pooling with normalisation (task embed) or a
// tanh pooler with a classifier (task classify; one label per entry of `labels`). Output "last_hidden_state", then
// "sentence_embedding" or "logits". The same seed gives the same file.
struct BertOptions {
  bool int8 = false;
  bool gated = false;              // the inner activation is multiplied by a product of its own
  bool fp32_feed_forward = false;  // of an int8 model
  uint32_t layers = 2, heads = 2, head_dim = 16, width = 32, inner = 64;
  uint32_t vocabulary = 40, types = 2, max_length = 16;
  fmt::Task task = fmt::Task::embed;
  std::vector<std::string> labels = {"negative", "positive"};
  uint32_t seed = 1;
};
ModelSpec small_bert(const BertOptions& options = {});

}  // namespace kinglet::test
