// The structs of model_builder.h to bytes, by the FlatBuffers builder and the definitions of runtime/format.
#include "support/model_builder.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <utility>

#include "format/checksum.h"
#include "format/header.h"

namespace kinglet::test {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;

constexpr size_t kAlignment = format::kPartAlignment;

size_t round_up(size_t value, size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

template <typename T>
Bytes bytes_of(const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  if (!bytes.empty()) {
    std::memcpy(bytes.data(), values.data(), bytes.size());
  }
  return bytes;
}

struct Quantised {
  std::vector<int8_t> rows;  // [n, k]
  std::vector<float> scale;  // [n]
};

Quantised quantise(const std::vector<float>& values, uint32_t n, uint32_t k) {
  Quantised out{std::vector<int8_t>(values.size()), std::vector<float>(n)};
  for (uint32_t row = 0; row < n; ++row) {
    float largest = 0;
    for (uint32_t i = 0; i < k; ++i) {
      largest = std::max(largest, std::fabs(values[row * k + i]));
    }
    out.scale[row] = largest / 127;
    for (uint32_t i = 0; i < k && largest > 0; ++i) {
      out.rows[row * k + i] = static_cast<int8_t>(std::lrint(values[row * k + i] / out.scale[row]));
    }
  }
  return out;
}

Bytes to_tiles(const std::vector<int8_t>& rows, uint32_t n, uint32_t k) {
  const size_t tiles = round_up(k, 8) / 8;
  Bytes out(round_up(n, 16) * tiles * 8);
  for (uint32_t row = 0; row < n; ++row) {
    for (uint32_t i = 0; i < k; ++i) {
      out[((row / 16 * tiles + i / 8) * 16 + row % 16) * 8 + i % 8] = static_cast<uint8_t>(rows[row * k + i]);
    }
  }
  return out;
}

// One operation of a step as its union member.
struct OpWriter {
  FlatBufferBuilder& builder;

  std::pair<fmt::Op, Offset<void>> operator()(const EmbedSpec& op) const {
    std::vector<Offset<fmt::EmbedTable>> tables;
    for (const EmbedTableSpec& table : op.tables) {
      tables.push_back(fmt::CreateEmbedTable(builder, table.index, table.table, table.scale, table.base, table.column));
    }
    return {fmt::Op::Embed, fmt::CreateEmbed(builder, builder.CreateVector(tables), op.norm, op.out).Union()};
  }
  std::pair<fmt::Op, Offset<void>> operator()(const LinearSpec& op) const {
    return {fmt::Op::Linear, fmt::CreateLinear(builder, op.in, op.matrix, op.gate, op.activation, op.out).Union()};
  }
  std::pair<fmt::Op, Offset<void>> operator()(const AttentionSpec& op) const {
    Offset<fmt::Disentangled> disentangled;
    if (!op.disentangled.empty()) {
      disentangled = fmt::CreateDisentangledDirect(
          builder, op.disentangled.front().content_to_position, op.disentangled.front().content_to_position_scale,
          op.disentangled.front().position_to_content, op.disentangled.front().position_to_content_scale,
          &op.disentangled.front().rows);
    }
    return {fmt::Op::Attention, fmt::CreateAttention(builder, op.query_in, op.key_in, op.value_in, op.query, op.key,
                                                     op.value, op.heads, op.head_dim, op.logit_scale, op.quantized,
                                                     op.out, op.relative_bias, op.rotary, op.window, disentangled)
                                    .Union()};
  }
  std::pair<fmt::Op, Offset<void>> operator()(const AddNormSpec& op) const {
    return {fmt::Op::AddNorm, fmt::CreateAddNorm(builder, op.in, op.residual, op.norm, op.out).Union()};
  }
  std::pair<fmt::Op, Offset<void>> operator()(const PoolSpec& op) const {
    return {fmt::Op::Pool, fmt::CreatePool(builder, op.in, op.kind, op.out).Union()};
  }
  std::pair<fmt::Op, Offset<void>> operator()(const NormalizeSpec& op) const {
    return {fmt::Op::Normalize, fmt::CreateNormalize(builder, op.in, op.out).Union()};
  }
  std::pair<fmt::Op, Offset<void>> operator()(const NeighboursSpec& op) const {
    return {fmt::Op::Neighbours, fmt::CreateNeighbours(builder, op.in, op.before, op.after, op.out).Union()};
  }
};

// The table, and the weights that it describes.
class TableWriter {
  template <typename Spec, typename Write>
  auto list(const std::vector<Spec>& specs, Write write) {
    std::vector<decltype(write(specs[0]))> offsets;
    for (const Spec& spec : specs) {
      offsets.push_back(write(spec));
    }
    return builder_.CreateVector(offsets);
  }

 public:
  explicit TableWriter(const ModelSpec& spec) : spec_(spec) {}

  Bytes table() {
    const auto tensors = list(spec_.tensors, [&](const TensorSpec& t) { return write(t); });
    const auto matrices = list(spec_.matrices, [&](const MatrixSpec& m) {
      return fmt::CreateMatrix(builder_, m.weight, m.scale, m.column_sum, m.bias, m.input_scale);
    });
    const auto norms = list(
        spec_.norms, [&](const NormSpec& n) { return fmt::CreateNorm(builder_, n.kind, n.weight, n.bias, n.epsilon); });
    const auto values =
        list(spec_.values, [&](const ValueSpec& v) { return fmt::CreateValue(builder_, v.extent, v.width); });
    const auto program = list(spec_.program, [&](const StepSpec& step) {
      const auto [type, op] = std::visit(OpWriter{builder_}, step.op);
      return fmt::CreateStep(builder_, step.type.value_or(type), op);
    });
    const auto outputs = list(spec_.outputs, [&](const OutputSpec& o) {
      return fmt::CreateOutput(builder_, builder_.CreateString(o.name), o.value, o.column);
    });
    const auto prompts = list(spec_.prompts, [&](const PromptSpec& p) {
      return fmt::CreatePrompt(builder_, builder_.CreateString(p.name), builder_.CreateString(p.text));
    });
    const auto samples = list(spec_.samples, [&](const SampleSpec& s) { return write(s); });
    const auto labels = builder_.CreateVectorOfStrings(spec_.labels);
    const auto tokenizer = spec_.tokenizer ? spec_.tokenizer(builder_) : 0;
    const auto provenance = spec_.provenance ? write(*spec_.provenance) : 0;
    const auto sums = builder_.CreateVector(block_checksums());
    const auto special_tokens =
        spec_.special_tokens
            ? fmt::CreateSpecialTokens(builder_, spec_.special_tokens->cls, spec_.special_tokens->mask,
                                       spec_.special_tokens->unknown, spec_.special_tokens->marked_pieces)
            : 0;
    const auto architecture = builder_.CreateString(spec_.architecture);
    const auto precision = builder_.CreateString(spec_.precision);
    fmt::FinishModelBuffer(
        builder_,
        fmt::CreateModel(builder_, architecture, precision, tensors, matrices, norms, values, program, outputs,
                         spec_.max_length, spec_.max_positions, spec_.vocabulary, spec_.type_count, spec_.task,
                         spec_.scoring, labels, spec_.embedding, spec_.logits, prompts, spec_.default_prompt, tokenizer,
                         samples, provenance, sums, special_tokens, spec_.rank_scoring));
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

  const Bytes& weights() const { return weights_; }

 private:
  Offset<fmt::Tensor> write(const TensorSpec& tensor) {
    weights_.resize(round_up(weights_.size(), kAlignment));
    const uint64_t offset = weights_.size();
    weights_.insert(weights_.end(), tensor.bytes.begin(), tensor.bytes.end());
    const auto name = builder_.CreateString(tensor.name);
    const auto shape = builder_.CreateVector(tensor.shape);
    return fmt::CreateTensor(builder_, name, tensor.dtype, tensor.layout, shape, tensor.offset.value_or(offset));
  }

  Offset<fmt::Sample> write(const SampleSpec& sample) {
    const auto text = builder_.CreateString(sample.text);
    const auto ids = builder_.CreateVector(sample.ids);
    const auto type_ids = builder_.CreateVector(sample.type_ids);
    const auto output = builder_.CreateString(sample.output);
    const auto values = builder_.CreateVector(sample.values);
    return fmt::CreateSample(builder_, text, ids, type_ids, output, values, sample.tolerance);
  }

  Offset<fmt::Provenance> write(const ProvenanceSpec& provenance) {
    const auto accuracy = list(provenance.accuracy, [&](const AccuracySpec& a) {
      return fmt::CreateAccuracy(builder_, builder_.CreateString(a.data), builder_.CreateString(a.metric), a.value);
    });
    const auto source = builder_.CreateString(provenance.source);
    const auto converter = builder_.CreateString(provenance.converter);
    const auto passes = builder_.CreateVectorOfStrings(provenance.passes);
    return fmt::CreateProvenance(builder_, source, converter, passes, accuracy);
  }

  std::vector<uint64_t> block_checksums() const {
    std::vector<uint64_t> sums;
    for (size_t at = 0; at < weights_.size(); at += format::kChecksumBlock) {
      sums.push_back(
          format::checksum(weights_.data() + at, std::min<size_t>(format::kChecksumBlock, weights_.size() - at)));
    }
    sums.resize(static_cast<size_t>(static_cast<int>(sums.size()) + spec_.extra_block_checksums));
    return sums;
  }

  const ModelSpec& spec_;
  FlatBufferBuilder builder_;
  Bytes weights_;
};

}  // namespace

Bytes build_model(const ModelSpec& spec) {
  TableWriter writer(spec);
  const Bytes table = writer.table();
  format::FileHeader header = {};
  std::memcpy(header.magic, format::kMagic, sizeof(header.magic));
  header.version = format::kVersion;
  header.table_size = table.size();
  header.weights_offset = round_up(sizeof(header) + table.size(), kAlignment);
  header.weights_size = writer.weights().size();
  Bytes file(header.weights_offset + header.weights_size);
  std::memcpy(file.data(), &header, sizeof(header));
  std::copy(table.begin(), table.end(), file.begin() + sizeof(header));
  std::copy(writer.weights().begin(), writer.weights().end(),
            file.begin() + static_cast<std::ptrdiff_t>(header.weights_offset));
  seal_model(file);
  return file;
}

void seal_model(Bytes& file) {
  format::FileHeader header;
  std::memcpy(&header, file.data(), sizeof(header));
  uint8_t* const table = file.data() + sizeof(header);
  flatbuffers::Verifier verifier(table, header.table_size);
  if (fmt::VerifyModelBuffer(verifier)) {
    const auto* sums = fmt::GetModel(table)->block_checksums();
    auto* stored = const_cast<uint8_t*>(sums->Data());
    for (size_t block = 0; block < sums->size(); ++block) {
      const size_t begin = block * format::kChecksumBlock;
      if (begin < header.weights_size) {
        const size_t size = std::min<size_t>(format::kChecksumBlock, header.weights_size - begin);
        const uint64_t sum = format::checksum(file.data() + header.weights_offset + begin, size);
        std::memcpy(stored + 8 * block, &sum, sizeof(sum));
      }
    }
    header.weights_checksum = format::checksum(stored, 8 * size_t{sums->size()});
  }
  header.table_checksum = format::checksum(table, header.table_size);
  header.header_checksum = format::checksum(&header, offsetof(format::FileHeader, header_checksum));
  std::memcpy(file.data(), &header, sizeof(header));
}

uint32_t ModelSpec::add_tensor(TensorSpec tensor) {
  tensors.push_back(std::move(tensor));
  return static_cast<uint32_t>(tensors.size() - 1);
}

uint32_t ModelSpec::add_f32(std::string name, std::vector<uint32_t> shape, const std::vector<float>& data) {
  return add_tensor({std::move(name), fmt::DType::f32, fmt::Layout::rows, std::move(shape), bytes_of(data), {}});
}

uint32_t ModelSpec::add_value(fmt::Extent extent, uint32_t width) {
  values.push_back({extent, width});
  return static_cast<uint32_t>(values.size() - 1);
}

uint32_t ModelSpec::add_matrix(const std::string& name, uint32_t n, uint32_t k, const std::vector<float>& weights,
                               const std::vector<float>& bias, bool int8) {
  MatrixSpec matrix;
  if (int8) {
    const auto padded = static_cast<uint32_t>(round_up(n, 16));
    Quantised q = quantise(weights, n, k);
    std::vector<int32_t> sums(padded);
    for (uint32_t row = 0; row < n; ++row) {
      for (uint32_t i = 0; i < k; ++i) {
        sums[row] += q.rows[row * k + i];
      }
    }
    q.scale.resize(padded);
    matrix.weight =
        add_tensor({name + ".weight", fmt::DType::s8, fmt::Layout::tile16x8, {n, k}, to_tiles(q.rows, n, k), {}});
    matrix.scale = static_cast<int32_t>(add_f32(name + ".scale", {padded}, q.scale));
    matrix.column_sum = static_cast<int32_t>(
        add_tensor({name + ".column_sum", fmt::DType::s32, fmt::Layout::rows, {padded}, bytes_of(sums), {}}));
    if (!bias.empty()) {
      std::vector<float> padded_bias = bias;
      padded_bias.resize(padded);
      matrix.bias = static_cast<int32_t>(add_f32(name + ".bias", {padded}, padded_bias));
    }
  } else {
    matrix.weight = add_f32(name + ".weight", {n, k}, weights);
    if (!bias.empty()) {
      matrix.bias = static_cast<int32_t>(add_f32(name + ".bias", {n}, bias));
    }
  }
  matrices.push_back(matrix);
  return static_cast<uint32_t>(matrices.size() - 1);
}

EmbedTableSpec ModelSpec::add_embedding(const std::string& name, fmt::EmbedIndex index, uint32_t n, uint32_t width,
                                        const std::vector<float>& rows, bool int8) {
  EmbedTableSpec entry;
  entry.index = index;
  if (int8) {
    const Quantised q = quantise(rows, n, width);
    entry.table = add_tensor({name, fmt::DType::s8, fmt::Layout::rows, {n, width}, bytes_of(q.rows), {}});
    entry.scale = static_cast<int32_t>(add_f32(name + ".scale", {n}, q.scale));
  } else {
    entry.table = add_f32(name, {n, width}, rows);
  }
  return entry;
}

flatbuffers::Offset<fmt::Tokenizer> smallest_tokenizer(FlatBufferBuilder& builder) {
  const std::vector<uint8_t> pool = {6, '[', 'U', 'N', 'K', ']'};
  const std::vector<uint32_t> empty_trie(256);  // the root and the places of its 256 children, none of them there
  const std::vector<uint32_t> none;
  const std::vector<fmt::TemplatePiece> single = {{-1, 0}};
  const std::vector<fmt::TemplatePiece> pair = {{-1, 0}, {-2, 0}};
  const auto map = fmt::CreateCharMap(builder, builder.CreateVector(std::vector<uint16_t>()),
                                      builder.CreateVector(std::vector<uint16_t>()),
                                      builder.CreateVector(std::vector<uint8_t>()), 0);
  const auto model =
      fmt::CreateWordPiece(builder, builder.CreateVector(empty_trie), builder.CreateString("##"), 0, 100);
  const auto added = [&] {
    return fmt::CreateAddedTokens(builder, builder.CreateVector(empty_trie),
                                  builder.CreateVectorOfStructs(std::vector<fmt::AddedToken>()));
  };
  const auto raw = added();
  const auto normalized = added();
  const auto pool_bytes = builder.CreateVector(pool);
  const auto pool_index = builder.CreateVector(std::vector<uint32_t>{0});
  const auto spaces = builder.CreateVector(none);
  const auto word_chars = builder.CreateVector(none);
  const auto single_pieces = builder.CreateVectorOfStructs(single);
  const auto pair_pieces = builder.CreateVectorOfStructs(pair);
  return fmt::CreateTokenizer(builder, 0, 1, pool_bytes, pool_index, map, fmt::TokenModel::WordPiece, model.Union(),
                              raw, normalized, spaces, word_chars, single_pieces, pair_pieces);
}

namespace {

// Adds a small BERT's parts to a spec.
class BertBuilder {
 public:
  explicit BertBuilder(const BertOptions& options) : o_(options), random_(options.seed) {}

  ModelSpec build() {
    spec_.precision = o_.int8 ? "int8" : "fp32";
    spec_.vocabulary = o_.vocabulary;
    spec_.type_count = o_.types;
    spec_.max_length = spec_.max_positions = o_.max_length;
    spec_.task = o_.task;
    uint32_t hidden = embeddings();
    for (uint32_t i = 0; i < o_.layers; ++i) {
      hidden = layer(std::string("layer.").append(std::to_string(i)), hidden);
    }
    spec_.outputs.push_back({"last_hidden_state", hidden, -1});
    head(hidden);
    return std::move(spec_);
  }

 private:
  std::vector<float> random(size_t count, float scale, float centre = 0) {
    std::vector<float> values(count);
    for (float& value : values) {
      value = centre + scale * (static_cast<float>(random_() >> 8) * 0x1p-23f - 1);
    }
    return values;
  }

  uint32_t norm(const std::string& name) {
    NormSpec norm;
    norm.weight = spec_.add_f32(name + ".weight", {o_.width}, random(o_.width, 0.3f, 1));
    norm.bias = static_cast<int32_t>(spec_.add_f32(name + ".bias", {o_.width}, random(o_.width, 0.2f)));
    spec_.norms.push_back(norm);
    return static_cast<uint32_t>(spec_.norms.size() - 1);
  }

  uint32_t matrix(const std::string& name, uint32_t n, uint32_t k, bool fp32 = false) {
    const float scale = 1.5f / std::sqrt(static_cast<float>(k));
    const std::vector<float> weights = random(size_t{n} * k, scale);
    const std::vector<float> bias = random(n, 0.1f);
    return spec_.add_matrix(name, n, k, weights, bias, o_.int8 && !fp32);
  }

  uint32_t linear(uint32_t in, uint32_t matrix, fmt::Activation activation, int32_t gate = -1) {
    const uint32_t n = spec_.tensors[spec_.matrices[matrix].weight].shape[0];
    const uint32_t out = spec_.add_value(spec_.values[in].extent, n);
    spec_.program.push_back({LinearSpec{in, matrix, gate, activation, out}, {}});
    return out;
  }

  uint32_t add_norm(uint32_t in, uint32_t residual, const std::string& name) {
    const uint32_t id = norm(name);
    const uint32_t out = spec_.add_value(fmt::Extent::tokens, o_.width);
    spec_.program.push_back({AddNormSpec{in, static_cast<int32_t>(residual), static_cast<int32_t>(id), out}, {}});
    return out;
  }

  uint32_t embeddings() {
    EmbedSpec embed;
    const auto add = [&](const char* name, fmt::EmbedIndex index, uint32_t n) {
      embed.tables.push_back(
          spec_.add_embedding(name, index, n, o_.width, random(size_t{n} * o_.width, 0.5f), o_.int8));
    };
    add("embeddings.word", fmt::EmbedIndex::token, o_.vocabulary);
    add("embeddings.position", fmt::EmbedIndex::position, o_.max_length);
    add("embeddings.type", fmt::EmbedIndex::type, o_.types);
    embed.norm = static_cast<int32_t>(norm("embeddings.norm"));
    embed.out = spec_.add_value(fmt::Extent::tokens, o_.width);
    spec_.program.push_back({embed, {}});
    return embed.out;
  }

  uint32_t layer(const std::string& name, uint32_t in) {
    const uint32_t inner = o_.heads * o_.head_dim;
    AttentionSpec attention;
    attention.query_in = attention.key_in = attention.value_in = in;
    attention.query = matrix(name + ".query", inner, o_.width);
    attention.key = matrix(name + ".key", inner, o_.width);
    attention.value = matrix(name + ".value", inner, o_.width);
    attention.heads = o_.heads;
    attention.head_dim = o_.head_dim;
    attention.logit_scale = 1.4426950408889634f / std::sqrt(static_cast<float>(o_.head_dim));
    attention.quantized = o_.int8;
    attention.out = spec_.add_value(fmt::Extent::tokens, inner);
    spec_.program.push_back({attention, {}});
    const uint32_t projected = linear(attention.out, matrix(name + ".output", o_.width, inner), fmt::Activation::none);
    const uint32_t middle = add_norm(projected, in, name + ".norm1");
    const bool fp32 = o_.fp32_feed_forward;
    const int32_t gate = o_.gated ? static_cast<int32_t>(matrix(name + ".gate", o_.inner, o_.width, fp32)) : -1;
    const uint32_t up = linear(middle, matrix(name + ".up", o_.inner, o_.width, fp32), fmt::Activation::gelu, gate);
    const uint32_t down = linear(up, matrix(name + ".down", o_.width, o_.inner, fp32), fmt::Activation::none);
    return add_norm(down, middle, name + ".norm2");
  }

  void head(uint32_t hidden) {
    const bool embed = o_.task == fmt::Task::embed;
    const uint32_t pooled = spec_.add_value(fmt::Extent::sequences, o_.width);
    spec_.program.push_back({PoolSpec{hidden, embed ? fmt::PoolKind::mean : fmt::PoolKind::first, pooled}, {}});
    if (embed) {
      const uint32_t out = spec_.add_value(fmt::Extent::sequences, o_.width);
      spec_.program.push_back({NormalizeSpec{pooled, out}, {}});
      spec_.embedding = static_cast<int32_t>(out);
      spec_.outputs.push_back({"sentence_embedding", out, -1});
    } else if (o_.task == fmt::Task::classify) {
      const auto labels = static_cast<uint32_t>(o_.labels.size());
      const uint32_t dense = linear(pooled, matrix("pooler", o_.width, o_.width), fmt::Activation::tanh);
      const uint32_t out = linear(dense, matrix("classifier", labels, o_.width), fmt::Activation::none);
      spec_.labels = o_.labels;
      spec_.logits = static_cast<int32_t>(out);
      spec_.outputs.push_back({"logits", out, -1});
    }
  }

  BertOptions o_;
  std::mt19937 random_;
  ModelSpec spec_;
};

}  // namespace

ModelSpec small_bert(const BertOptions& options) {
  return BertBuilder(options).build();
}

}  // namespace kinglet::test
