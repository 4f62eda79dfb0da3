// BERT (Devlin et al., 2019) with every head that transformers 4.57.3 gives it (models/bert/modeling_bert.py).
#include <cmath>
#include <limits>

#include "base/text.h"
#include "families/config.h"
#include "families/family.h"
#include "families/heads.h"
#include "families/weights.h"

namespace kinglet::convert {

namespace {

struct BertConfig {
  uint32_t hidden, layers, heads, intermediate, positions, types, vocabulary;
  float epsilon;
  fmt::Activation activation;
  bool tied;
  std::map<uint32_t, std::set<uint32_t>> pruned_heads;
};

BertConfig read_bert_config(const JsonObject& config) {
  refuse_unsupported(config);
  if (config.text("position_embedding_type", "absolute") != "absolute") {
    config.refuse_field("position_embedding_type", "\"absolute\"");
  }
  const auto number = [&](const char* field, uint64_t fallback, uint64_t least, uint64_t most) {
    return static_cast<uint32_t>(config.number(field, fallback, least, most));
  };
  BertConfig bert;
  bert.hidden = number("hidden_size", 768, 1, 65536);
  bert.layers = number("num_hidden_layers", 12, 0, 1000);
  bert.heads = number("num_attention_heads", 12, 1, 65536);
  bert.intermediate = number("intermediate_size", 3072, 1, 65536);
  bert.positions = number("max_position_embeddings", 512, 1, 1 << 20);
  bert.types = number("type_vocab_size", 2, 1, 65536);
  bert.vocabulary = number("vocab_size", 30522, 1, 1 << 24);
  bert.epsilon = static_cast<float>(config.real("layer_norm_eps", 1e-12));
  bert.activation = read_activation(config, "hidden_act", "gelu");
  bert.tied = config.boolean("tie_word_embeddings", true);
  bert.pruned_heads = read_pruned_heads(config, bert.layers, bert.heads);
  if (bert.hidden % bert.heads != 0) {
    refuse(config.name(), ": hidden_size is ", bert.hidden, ", expected a multiple of num_attention_heads, ",
           bert.heads);
  }
  if (!(bert.epsilon >= 0) || !std::isfinite(bert.epsilon)) {
    config.refuse_field("layer_norm_eps", "a number of at least 0");
  }
  return bert;
}

// Tensors of heads and of training that a model without that head leaves alone, as transformers does.
const std::vector<std::string>& ignorable_tensors() {
  static const std::vector<std::string> patterns = {"cls.*", "classifier.*", "qa_outputs.*", "pooler.*"};
  return patterns;
}

class BertBuilder {
 public:
  explicit BertBuilder(BuildRequest& request)
      : request_(request),
        bert_(read_bert_config(request.config)),
        weights_(std::move(request.checkpoint), {"bert."}, request.source) {}

  ModelIR build() {
    const Head head = choose_head(request_, "Bert", guess_head());
    ir_.architecture = "bert";
    ir_.vocabulary = bert_.vocabulary;
    ir_.type_count = bert_.types;
    ir_.max_positions = bert_.positions;
    ir_.max_length = bert_.positions;
    ir_.task = request_.task.value_or(natural_task(head));

    hidden_ = add_embeddings();
    for (uint32_t layer = 0; layer < bert_.layers; ++layer) {
      hidden_ = add_layer(layer);
    }
    add_head(head);
    check_labels_were_wanted();
    weights_.refuse_unused(ignorable_tensors());
    return std::move(ir_);
  }

 private:
  // Old checkpoints have no "architectures": their tensors tell.
  Head guess_head() const {
    const bool predictions = weights_.has("cls.predictions.transform.dense.weight");
    const bool relationship = weights_.has("cls.seq_relationship.weight");
    if (weights_.has("classifier.weight")) {
      return weights_.has("pooler.dense.weight") ? Head::sequence : Head::token;
    }
    if (weights_.has("qa_outputs.weight")) {
      return Head::question;
    }
    if (predictions) {
      return relationship ? Head::pretraining : Head::masked_lm;
    }
    return relationship ? Head::next_sentence : Head::encoder;
  }

  // ---- Pieces ----

  uint32_t add_tensor(const std::string& name, const std::vector<uint32_t>& shape) {
    return ir_.add(weights_.take(name, shape));
  }

  uint32_t add_matrix(const std::string& name, uint32_t rows, uint32_t columns, bool head = false) {
    const uint32_t weight = add_tensor(name + ".weight", {rows, columns});
    return ir_.add(Matrix{name, weight, static_cast<int32_t>(add_tensor(name + ".bias", {rows})), head});
  }

  int32_t add_norm_weights(const std::string& name) {
    const uint32_t weight = add_tensor(name + ".weight", {bert_.hidden});
    const auto bias = static_cast<int32_t>(add_tensor(name + ".bias", {bert_.hidden}));
    return static_cast<int32_t>(ir_.add(Norm{fmt::NormKind::layer, weight, bias, bert_.epsilon}));
  }

  // ---- The encoder ----

  uint32_t add_embeddings() {
    words_ = add_tensor("embeddings.word_embeddings.weight", {bert_.vocabulary, bert_.hidden});
    const uint32_t types = add_tensor("embeddings.token_type_embeddings.weight", {bert_.types, bert_.hidden});
    const uint32_t positions = add_tensor("embeddings.position_embeddings.weight", {bert_.positions, bert_.hidden});
    const int32_t norm = add_norm_weights("embeddings.LayerNorm");
    return ir_.embed(
        {{fmt::EmbedIndex::token, words_}, {fmt::EmbedIndex::type, types}, {fmt::EmbedIndex::position, positions}},
        norm);
  }

  uint32_t add_layer(uint32_t layer) {
    const std::string name = "encoder.layer." + std::to_string(layer);
    const auto pruned = bert_.pruned_heads.find(layer);
    const uint32_t heads =
        bert_.heads - (pruned == bert_.pruned_heads.end() ? 0 : static_cast<uint32_t>(pruned->second.size()));
    const uint32_t head_dim = bert_.hidden / bert_.heads;
    const uint32_t width = heads * head_dim;

    const std::string self = name + ".attention.self.";
    const uint32_t query = add_matrix(self + "query", width, bert_.hidden);
    const uint32_t key = add_matrix(self + "key", width, bert_.hidden);
    const uint32_t value = add_matrix(self + "value", width, bert_.hidden);
    const uint32_t attended = ir_.attention(hidden_, query, key, value, heads, head_dim);
    const uint32_t projected = ir_.linear(attended, add_matrix(name + ".attention.output.dense", bert_.hidden, width));
    const uint32_t middle =
        ir_.add_norm(projected, static_cast<int32_t>(hidden_), add_norm_weights(name + ".attention.output.LayerNorm"));

    const uint32_t up = ir_.linear(middle, add_matrix(name + ".intermediate.dense", bert_.intermediate, bert_.hidden),
                                   bert_.activation);
    const uint32_t down = ir_.linear(up, add_matrix(name + ".output.dense", bert_.hidden, bert_.intermediate));
    return ir_.add_norm(down, static_cast<int32_t>(middle), add_norm_weights(name + ".output.LayerNorm"));
  }

  // ---- Heads ----

  void add_head(Head head) {
    switch (head) {
      case Head::encoder:
        return add_encoder_outputs();
      case Head::masked_lm:
        return add_output("logits", add_predictions());
      case Head::pretraining:
        add_output("prediction_logits", add_predictions());
        return add_classifier("cls.seq_relationship", "seq_relationship_logits");
      case Head::next_sentence:
      case Head::sequence:
        return add_classifier(head == Head::sequence ? "classifier" : "cls.seq_relationship", "logits");
      case Head::token:
        return add_tagger();
      case Head::question:
        return add_question_answering();
    }
  }

  void add_output(const char* name, uint32_t value, int32_t column = kNone) {
    ir_.outputs.push_back({name, value, column});
  }

  uint32_t add_pooler() {
    const uint32_t first = ir_.pool(hidden_, fmt::PoolKind::first);
    return ir_.linear(first, add_matrix("pooler.dense", bert_.hidden, bert_.hidden), fmt::Activation::tanh);
  }

  void add_encoder_outputs() {
    add_output("last_hidden_state", hidden_);
    if (weights_.has("pooler.dense.weight")) {
      add_output("pooler_output", add_pooler());
    }
    uint32_t embedding = ir_.pool(hidden_, request_.embedding.pooling);
    if (request_.embedding.normalize) {
      embedding = ir_.normalize(embedding);
    }
    ir_.embedding = static_cast<int32_t>(embedding);
  }

  // The masked-LM head. Tied, its decoder is the word-embedding table itself, whatever the checkpoint has as decoder.
  uint32_t add_predictions() {
    const std::string name = "cls.predictions.";
    const uint32_t dense =
        ir_.linear(hidden_, add_matrix(name + "transform.dense", bert_.hidden, bert_.hidden), bert_.activation);
    const uint32_t normed = ir_.add_norm(dense, kNone, add_norm_weights(name + "transform.LayerNorm"));
    const uint32_t table = bert_.tied ? words_ : add_tensor(name + "decoder.weight", {bert_.vocabulary, bert_.hidden});
    // One parameter under two names.
    const bool named_bias = weights_.has(name + "bias") || !weights_.has(name + "decoder.bias");
    const uint32_t bias = add_tensor(name + (named_bias ? "bias" : "decoder.bias"), {bert_.vocabulary});
    const uint32_t decoder = ir_.add(Matrix{name + "decoder", table, static_cast<int32_t>(bias), false});
    return ir_.linear(normed, decoder);
  }

  void add_classifier(const std::string& matrix, const char* output) {
    std::vector<std::string> labels = take_labels();
    const auto count = static_cast<uint32_t>(labels.size());
    if (matrix == "cls.seq_relationship" && count != 2) {
      refuse(request_.source, ": next-sentence prediction has 2 labels, but ", count, " were given");
    }
    const uint32_t logits = ir_.linear(add_pooler(), add_matrix(matrix, count, bert_.hidden, true));
    add_output(output, logits);
    if (ir_.task == fmt::Task::classify) {
      ir_.logits = static_cast<int32_t>(logits);
      ir_.scoring = matrix == "classifier" ? read_scoring(request_.config, count) : fmt::Scoring::softmax;
      ir_.labels = std::move(labels);
    }
  }

  void add_tagger() {
    ir_.labels = take_labels();
    const auto count = static_cast<uint32_t>(ir_.labels.size());
    add_output("logits", ir_.linear(hidden_, add_matrix("classifier", count, bert_.hidden, true)));
  }

  void add_question_answering() {
    const uint32_t logits = ir_.linear(hidden_, add_matrix("qa_outputs", 2, bert_.hidden, true));
    add_output("start_logits", logits, 0);
    add_output("end_logits", logits, 1);
  }

  std::vector<std::string> take_labels() { return read_labels(request_.config, request_.labels); }

  void check_labels_were_wanted() const {
    if (!request_.labels.empty() && ir_.labels.empty()) {
      refuse("labels were given, but the task ", task_name(ir_.task), " has none; they go with classify and tag");
    }
  }

  BuildRequest& request_;
  BertConfig bert_;
  Weights weights_;
  ModelIR ir_;
  uint32_t words_ = 0;   // the word-embedding table
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_bert(BuildRequest& request) {
  return BertBuilder(request).build();
}

}  // namespace kinglet::convert
