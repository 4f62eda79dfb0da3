// What the encoders of transformers have in common: BERT's layer under any names, and the heads on top of it. A family
// derives its builder from this one, takes its tensors and ends with finish().
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "families/config.h"
#include "families/family.h"
#include "families/heads.h"
#include "families/weights.h"

namespace kinglet::convert {

// The fields of config.json that BERT has and others took over.
struct EncoderConfig {
  uint32_t hidden = 768, layers = 12, heads = 12, intermediate = 3072, positions = 512, types = 2, vocabulary = 30522;
  uint32_t embedding = 0;  // width of the embedding tables; 0 where the family has no embedding_size
  float epsilon = 1e-12f;
  fmt::Activation activation = fmt::Activation::gelu;
  bool tied = true;
  std::map<uint32_t, std::set<uint32_t>> pruned_heads;
  std::vector<uint32_t> intermediates;  // by layer; beyond its end they are `intermediate` wide
};

// Reads them; absent ones are as in `defaults`. Refuses what no family implements, and heads that do not divide
// hidden_size unless `hidden_in_heads` is false. Throws Error.
EncoderConfig read_encoder_config(const JsonObject& config, const EncoderConfig& defaults,
                                  const std::string& activation = "gelu", bool hidden_in_heads = true);

// Whole tensor names without ".weight" and ".bias".
struct LayerNames {
  std::string query, key, value, output, attention_norm, up, down, norm;
};

// A layer's places in the model; the same ones run again where layers share their weights.
struct Layer {
  uint32_t heads, head_dim;
  uint32_t query, key, value, output;
  int32_t attention_norm;
  uint32_t up, down;
  int32_t norm;
};

class Builder {
 protected:
  // `prefixes` are what the family puts before its tensors' names ("bert.").
  Builder(BuildRequest& request, const char* architecture, const std::vector<std::string>& prefixes);

  // Sets the sizes and the task. `first_position` rows of the position table stand before position 0.
  void start(const EncoderConfig& sizes, Head head, uint32_t first_position = 0);
  // Refuses labels that no head has taken and tensors that are neither used nor match one of the patterns.
  ModelIR finish(const std::vector<std::string>& ignorable);

  // ---- Pieces: each takes the tensors of that name ----

  uint32_t add_tensor(const std::string& name, const std::vector<uint32_t>& shape);
  uint32_t add_matrix(const std::string& name, uint32_t rows, uint32_t columns, bool head = false);
  int32_t add_norm(const std::string& name, uint32_t width, float epsilon, fmt::NormKind kind = fmt::NormKind::layer);

  // norm(words + types + positions) with BERT's names; the tables' width is sizes.embedding, or hidden. Sets words_.
  uint32_t add_embeddings(const EncoderConfig& sizes, uint32_t first_position = 0);
  // The same of tensors named as BERT names those of a layer.
  static LayerNames bert_layer(uint32_t index);
  Layer add_layer(const LayerNames& names, const EncoderConfig& sizes, uint32_t index);
  // norm(x + attention(x)), then norm(x + feed-forward(x)). Returns the result's value.
  uint32_t run_layer(uint32_t in, const Layer& layer, fmt::Activation activation);

  // ---- Heads ----

  void add_output(const char* name, uint32_t value, int32_t column = kNone);
  // The first token's vector through a matrix and an activation.
  uint32_t add_pooler(uint32_t hidden, const std::string& matrix, uint32_t width, fmt::Activation activation);
  // last_hidden_state, pooler_output where there is one (its value, or kNone), and the embedding.
  void add_encoder_outputs(uint32_t hidden, int32_t pooled);
  // logits = norm(activation(dense(x)))·Dᵀ + bias. D is the word-embedding table where it is tied, whatever the
  // checkpoint has as `decoder`; the bias has either of two names. `width` is that of D's rows.
  uint32_t add_predictions(uint32_t hidden, const EncoderConfig& sizes, uint32_t width, const std::string& dense,
                           fmt::Activation activation, const std::string& norm, const std::string& decoder,
                           const std::string& bias);
  // Its parts: norm(activation(dense(x))), and the bias, one parameter under two names.
  uint32_t add_transform(uint32_t hidden, const EncoderConfig& sizes, uint32_t width, const std::string& dense,
                         fmt::Activation activation, const std::string& norm);
  int32_t add_decoder_bias(const EncoderConfig& sizes, const std::string& decoder, const std::string& bias);
  // A matrix on one vector per sequence, with labels; "logits" of the task classify where that is asked for.
  void add_classifier(uint32_t pooled, const std::string& matrix, const char* output, fmt::Scoring scoring);
  // The same for heads that always tell two things apart (next sentence, sentence order).
  void add_pair_classifier(uint32_t pooled, const std::string& matrix, const char* output);
  void add_tagger(uint32_t hidden, const std::string& matrix);
  void add_question_answering(uint32_t hidden, const std::string& matrix);

  // Scoring by problem_type and the number of labels.
  fmt::Scoring configured_scoring() const;
  uint32_t width_of(uint32_t value) const { return ir_.values[value].width; }

  BuildRequest& request_;
  Weights weights_;
  ModelIR ir_;
  uint32_t words_ = 0;  // the word-embedding table

 private:
  std::vector<std::string> take_labels() const { return read_labels(request_.config, request_.labels); }
};

}  // namespace kinglet::convert
