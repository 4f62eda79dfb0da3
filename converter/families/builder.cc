// Pieces of encoders, tensor by tensor and op by op.
#include "families/builder.h"

#include <cmath>
#include <utility>

#include "base/text.h"

namespace kinglet::convert {

EncoderConfig read_encoder_config(const JsonObject& config, const EncoderConfig& defaults,
                                  const std::string& activation, bool hidden_in_heads) {
  refuse_unsupported(config);
  if (config.text("position_embedding_type", "absolute") != "absolute") {
    config.refuse_field("position_embedding_type", "\"absolute\"");
  }
  const auto number = [&](const char* field, uint64_t fallback, uint64_t least, uint64_t most) {
    return static_cast<uint32_t>(config.number(field, fallback, least, most));
  };
  EncoderConfig sizes;
  sizes.hidden = number("hidden_size", defaults.hidden, 1, 65536);
  sizes.layers = number("num_hidden_layers", defaults.layers, 0, 1000);
  sizes.heads = number("num_attention_heads", defaults.heads, 1, 65536);
  sizes.intermediate = number("intermediate_size", defaults.intermediate, 1, 65536);
  sizes.positions = number("max_position_embeddings", defaults.positions, 1, 1 << 20);
  sizes.types = number("type_vocab_size", defaults.types, 1, 65536);
  sizes.vocabulary = number("vocab_size", defaults.vocabulary, 1, 1 << 24);
  sizes.embedding = defaults.embedding == 0 ? 0 : number("embedding_size", defaults.embedding, 1, 65536);
  sizes.epsilon = static_cast<float>(config.real("layer_norm_eps", static_cast<double>(defaults.epsilon)));
  sizes.activation = read_activation(config, "hidden_act", activation);
  sizes.tied = config.boolean("tie_word_embeddings", true);
  sizes.pruned_heads = read_pruned_heads(config, sizes.layers, sizes.heads);
  sizes.intermediates = read_intermediate_sizes(config, sizes.layers, sizes.intermediate);
  if (hidden_in_heads && sizes.hidden % sizes.heads != 0) {
    refuse(config.name(), ": hidden_size is ", sizes.hidden, ", expected a multiple of num_attention_heads, ",
           sizes.heads);
  }
  if (!(sizes.epsilon >= 0) || !std::isfinite(sizes.epsilon)) {
    config.refuse_field("layer_norm_eps", "a number of at least 0");
  }
  return sizes;
}

Builder::Builder(BuildRequest& request, const char* architecture, const std::vector<std::string>& prefixes)
    : request_(request), weights_(std::move(request.checkpoint), prefixes, request.source) {
  ir_.architecture = architecture;
}

void Builder::start(const EncoderConfig& sizes, Head head, uint32_t first_position) {
  ir_.vocabulary = sizes.vocabulary;
  ir_.type_count = sizes.types;
  ir_.max_positions = ir_.max_length = sizes.positions - first_position;
  ir_.task = request_.task.value_or(natural_task(head));
}

ModelIR Builder::finish(const std::vector<std::string>& ignorable) {
  if (!request_.labels.empty() && ir_.labels.empty()) {
    refuse("labels were given, but the task ", task_name(ir_.task), " has none; they go with classify and tag");
  }
  weights_.refuse_unused(ignorable);
  return std::move(ir_);
}

// ---- Pieces ----

uint32_t Builder::add_tensor(const std::string& name, const std::vector<uint32_t>& shape) {
  return ir_.add(weights_.take(name, shape));
}

uint32_t Builder::add_matrix(const std::string& name, uint32_t rows, uint32_t columns, bool head) {
  const uint32_t weight = add_tensor(name + ".weight", {rows, columns});
  return ir_.add(Matrix{name, weight, static_cast<int32_t>(add_tensor(name + ".bias", {rows})), head});
}

int32_t Builder::add_norm(const std::string& name, uint32_t width, float epsilon, fmt::NormKind kind) {
  const uint32_t weight = add_tensor(name + ".weight", {width});
  const auto bias = static_cast<int32_t>(add_tensor(name + ".bias", {width}));
  return static_cast<int32_t>(ir_.add(Norm{kind, weight, bias, epsilon}));
}

uint32_t Builder::add_embeddings(const EncoderConfig& sizes, uint32_t first_position) {
  const uint32_t width = sizes.embedding == 0 ? sizes.hidden : sizes.embedding;
  words_ = add_tensor("embeddings.word_embeddings.weight", {sizes.vocabulary, width});
  const uint32_t types = add_tensor("embeddings.token_type_embeddings.weight", {sizes.types, width});
  const uint32_t positions = add_tensor("embeddings.position_embeddings.weight", {sizes.positions, width});
  const int32_t norm = add_norm("embeddings.LayerNorm", width, sizes.epsilon);
  return ir_.embed({{fmt::EmbedIndex::token, words_},
                    {fmt::EmbedIndex::type, types},
                    {first_position == 0 ? fmt::EmbedIndex::position : fmt::EmbedIndex::counted_position, positions,
                     first_position}},
                   norm);
}

LayerNames Builder::bert_layer(uint32_t index) {
  const std::string name = "encoder.layer." + std::to_string(index) + ".";
  const std::string self = name + "attention.self.", attention = name + "attention.output.";
  return {self + "query",          self + "key",
          self + "value",          attention + "dense",
          attention + "LayerNorm", name + "intermediate.dense",
          name + "output.dense",   name + "output.LayerNorm"};
}

Layer Builder::add_layer(const LayerNames& names, const EncoderConfig& sizes, uint32_t index) {
  const auto pruned = sizes.pruned_heads.find(index);
  Layer layer = {};
  layer.heads = sizes.heads - (pruned == sizes.pruned_heads.end() ? 0 : static_cast<uint32_t>(pruned->second.size()));
  layer.head_dim = sizes.hidden / sizes.heads;
  const uint32_t width = layer.heads * layer.head_dim;
  const uint32_t inner = index < sizes.intermediates.size() ? sizes.intermediates[index] : sizes.intermediate;
  layer.query = add_matrix(names.query, width, sizes.hidden);
  layer.key = add_matrix(names.key, width, sizes.hidden);
  layer.value = add_matrix(names.value, width, sizes.hidden);
  layer.output = add_matrix(names.output, sizes.hidden, width);
  layer.attention_norm = add_norm(names.attention_norm, sizes.hidden, sizes.epsilon);
  layer.up = add_matrix(names.up, inner, sizes.hidden);
  layer.down = add_matrix(names.down, sizes.hidden, inner);
  layer.norm = add_norm(names.norm, sizes.hidden, sizes.epsilon);
  return layer;
}

uint32_t Builder::run_layer(uint32_t in, const Layer& layer, fmt::Activation activation) {
  const uint32_t attended = ir_.attention(in, layer.query, layer.key, layer.value, layer.heads, layer.head_dim);
  const uint32_t projected = ir_.linear(attended, layer.output);
  const uint32_t middle = ir_.add_norm(projected, static_cast<int32_t>(in), layer.attention_norm);
  const uint32_t up = ir_.linear(middle, layer.up, activation);
  const uint32_t down = ir_.linear(up, layer.down);
  return ir_.add_norm(down, static_cast<int32_t>(middle), layer.norm);
}

// ---- Heads ----

void Builder::add_output(const char* name, uint32_t value, int32_t column) {
  ir_.outputs.push_back({name, value, column});
}

uint32_t Builder::add_pooler(uint32_t hidden, const std::string& matrix, uint32_t width, fmt::Activation activation) {
  const uint32_t first = ir_.pool(hidden, fmt::PoolKind::first);
  return ir_.linear(first, add_matrix(matrix, width, width), activation);
}

void Builder::add_encoder_outputs(uint32_t hidden, int32_t pooled) {
  add_output("last_hidden_state", hidden);
  if (pooled != kNone) {
    add_output("pooler_output", static_cast<uint32_t>(pooled));
  }
  uint32_t embedding = ir_.pool(hidden, request_.embedding.pooling);
  if (request_.embedding.normalize) {
    embedding = ir_.normalize(embedding);
  }
  ir_.embedding = static_cast<int32_t>(embedding);
}

uint32_t Builder::add_predictions(uint32_t hidden, const EncoderConfig& sizes, uint32_t width, const std::string& dense,
                                  fmt::Activation activation, const std::string& norm, const std::string& decoder,
                                  const std::string& bias) {
  const uint32_t normed = add_transform(hidden, sizes, width, dense, activation, norm);
  const uint32_t table = sizes.tied ? words_ : add_tensor(decoder + ".weight", {sizes.vocabulary, width});
  return ir_.linear(normed, ir_.add(Matrix{decoder, table, add_decoder_bias(sizes, decoder, bias), false}));
}

uint32_t Builder::add_transform(uint32_t hidden, const EncoderConfig& sizes, uint32_t width, const std::string& dense,
                                fmt::Activation activation, const std::string& norm) {
  const uint32_t transformed = ir_.linear(hidden, add_matrix(dense, width, width_of(hidden)), activation);
  return ir_.add_norm(transformed, kNone, add_norm(norm, width, sizes.epsilon));
}

int32_t Builder::add_decoder_bias(const EncoderConfig& sizes, const std::string& decoder, const std::string& bias) {
  const bool named = weights_.has(bias) || !weights_.has(decoder + ".bias");
  return static_cast<int32_t>(add_tensor(named ? bias : decoder + ".bias", {sizes.vocabulary}));
}

fmt::Scoring Builder::configured_scoring() const {
  return read_scoring(request_.config, take_labels().size());
}

void Builder::add_classifier(uint32_t pooled, const std::string& matrix, const char* output, fmt::Scoring scoring) {
  std::vector<std::string> labels = take_labels();
  const auto count = static_cast<uint32_t>(labels.size());
  const uint32_t logits = ir_.linear(pooled, add_matrix(matrix, count, width_of(pooled), true));
  add_output(output, logits);
  if (ir_.task == fmt::Task::classify) {
    ir_.logits = static_cast<int32_t>(logits);
    ir_.scoring = scoring;
    ir_.labels = std::move(labels);
  }
}

void Builder::add_pair_classifier(uint32_t pooled, const std::string& matrix, const char* output) {
  if (const size_t count = take_labels().size(); count != 2) {
    refuse(request_.source, ": next-sentence prediction has 2 labels, but ", count, " were given");
  }
  add_classifier(pooled, matrix, output, fmt::Scoring::softmax);
}

void Builder::add_tagger(uint32_t hidden, const std::string& matrix) {
  ir_.labels = take_labels();
  const auto count = static_cast<uint32_t>(ir_.labels.size());
  add_output("logits", ir_.linear(hidden, add_matrix(matrix, count, width_of(hidden), true)));
}

void Builder::add_question_answering(uint32_t hidden, const std::string& matrix) {
  const uint32_t logits = ir_.linear(hidden, add_matrix(matrix, 2, width_of(hidden), true));
  add_output("start_logits", logits, 0);
  add_output("end_logits", logits, 1);
}

}  // namespace kinglet::convert
