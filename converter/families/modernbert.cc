// ModernBERT (Warner et al., 2024; transformers 4.57.3, models/modernbert/modeling_modernbert.py): norms before the
// blocks, gated feed-forwards, rotary positions, and layers that see a window between layers that see everything. Also
// as transformers 5 writes it (layer_types, rope_parameters).
#include <cmath>

#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kMostPositions = 1 << 16;

class ModernBertBuilder : Builder {
 public:
  explicit ModernBertBuilder(BuildRequest& request) : Builder(request, "modernbert", {}), config_(request_.config) {
    refuse_unsupported(config_);
    sizes_.hidden = number("hidden_size", 768, 65536);
    sizes_.layers = number("num_hidden_layers", 22, 1000);
    sizes_.heads = number("num_attention_heads", 12, 65536);
    sizes_.intermediate = number("intermediate_size", 1152, 65536);
    sizes_.positions = number("max_position_embeddings", 8192, kMostPositions);
    sizes_.vocabulary = number("vocab_size", 50368, 1 << 24);
    sizes_.types = 2;  // without a table: tokenizers may give types to pairs
    sizes_.epsilon = static_cast<float>(config_.real("norm_eps", 1e-5));
    sizes_.activation = read_activation(config_, "hidden_activation", "gelu");
    sizes_.tied = config_.boolean("tie_word_embeddings", true);
    if (sizes_.hidden % sizes_.heads != 0 || sizes_.hidden / sizes_.heads % 2 != 0) {
      refuse(config_.name(), ": hidden_size is ", sizes_.hidden, ", expected heads of an even size, but there are ",
             sizes_.heads, " (num_attention_heads)");
    }
    if (!(sizes_.epsilon >= 0) || !std::isfinite(sizes_.epsilon)) {
      config_.refuse_field("norm_eps", "a number of at least 0");
    }
    if (!read_pruned_heads(config_, sizes_.layers, sizes_.heads).empty()) {
      config_.refuse_field("pruned_heads", "none");
    }
    read_layers();
  }

  ModelIR build() {
    const Head head = choose_head(request_, "ModernBert", guess_head(),
                                  {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question});
    start(sizes_, head);
    words_ = add_tensor("embeddings.tok_embeddings.weight", {sizes_.vocabulary, sizes_.hidden});
    hidden_ = ir_.embed({{fmt::EmbedIndex::token, words_}}, norm("embeddings.norm"));
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      add_block(i);
    }
    hidden_ = ir_.add_norm(hidden_, kNone, norm("final_norm"));
    add_head(head);
    return finish({"head.*", "decoder.*", "classifier.*"});
  }

 private:
  uint32_t number(const char* field, uint64_t fallback, uint64_t most) const {
    return static_cast<uint32_t>(config_.number(field, fallback, 1, most));
  }

  // ---- Which layers are local, and how fast positions turn ----

  void read_layers() {
    const uint32_t every = number("global_attn_every_n_layers", 3, 1000);
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      local_.push_back(i % every != 0);
    }
    if (const Json* types = config_.find("layer_types")) {
      read_layer_types(*types);
    }
    window_ = static_cast<uint32_t>(config_.number("local_attention", 128, 0, 1 << 20)) / 2 + 1;
    if (config_.has("rope_scaling")) {
      config_.refuse_field("rope_scaling", "none: only rotary positions of the default type are supported");
    }
    global_theta_ = read_theta("global_rope_theta", "full_attention", 160000.0);
    local_theta_ = read_theta("local_rope_theta", "sliding_attention",
                              config_.json().contains("local_rope_theta") ? global_theta_ : 10000.0);
  }

  void read_layer_types(const Json& types) {
    const char* const expected = "a list of \"full_attention\" and \"sliding_attention\", one for each layer";
    if (!types.is_array() || types.size() != sizes_.layers) {
      config_.refuse_field("layer_types", expected);
    }
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      local_[i] = types[i] == "sliding_attention";
      if (!local_[i] && types[i] != "full_attention") {
        config_.refuse_field("layer_types", expected);
      }
    }
  }

  double read_theta(const char* field, const char* kind, double fallback) const {
    double theta = config_.real(field, fallback);
    if (const Json* parameters = config_.find("rope_parameters")) {
      const JsonObject all(*parameters, config_.name() + ": rope_parameters");
      if (const Json* of_kind = all.find(kind)) {
        const JsonObject rope(*of_kind, all.name() + "." + kind);
        for (const auto& [key, value] : rope.json().items()) {
          if (key != "rope_theta" && key != "rope_type") {
            rope.refuse_field(key.c_str(), "nothing: only rope_theta and rope_type are supported");
          }
        }
        if (rope.text("rope_type", "default") != "default") {
          rope.refuse_field("rope_type", "\"default\"");
        }
        theta = rope.real("rope_theta", theta);
      }
    }
    if (!(theta > 0) || !std::isfinite(theta)) {
      config_.refuse_field(field, "a number above 0");
    }
    return theta;
  }

  // Cosines and sines of every position, with angles in floats as ModernBertRotaryEmbedding has them.
  int32_t add_rotary(double theta, const char* name) {
    const uint32_t head_dim = sizes_.hidden / sizes_.heads, half = head_dim / 2;
    std::vector<float> table(size_t{sizes_.positions} * head_dim);
    for (uint32_t t = 0; t < half; ++t) {
      const float exponent = static_cast<float>(2 * t) / static_cast<float>(head_dim);
      const float frequency = 1.0f / std::pow(static_cast<float>(theta), exponent);
      for (uint32_t position = 0; position < sizes_.positions; ++position) {
        const float angle = frequency * static_cast<float>(position);
        table[size_t{position} * head_dim + t] = static_cast<float>(std::cos(static_cast<double>(angle)));
        table[size_t{position} * head_dim + half + t] = static_cast<float>(std::sin(static_cast<double>(angle)));
      }
    }
    return static_cast<int32_t>(
        ir_.add(Tensor{name, {sizes_.positions, head_dim}, memory_source(std::move(table), head_dim)}));
  }

  int32_t rotary_of(bool local) {
    int32_t& table = local ? local_rotary_ : global_rotary_;
    if (table == kNone) {
      table = local && local_theta_ == global_theta_ && global_rotary_ != kNone
                  ? global_rotary_
                  : add_rotary(local ? local_theta_ : global_theta_, local ? "rotary.local" : "rotary.global");
    }
    return table;
  }

  // ---- Pieces ----

  int32_t norm(const std::string& name) {
    const uint32_t weight = add_tensor(name + ".weight", {sizes_.hidden});
    const int32_t bias =
        config_.boolean("norm_bias", false) ? static_cast<int32_t>(add_tensor(name + ".bias", {sizes_.hidden})) : kNone;
    return static_cast<int32_t>(ir_.add(Norm{fmt::NormKind::layer, weight, bias, sizes_.epsilon}));
  }

  uint32_t matrix(const std::string& name, uint32_t rows, uint32_t columns, bool biased) {
    const uint32_t weight = add_tensor(name + ".weight", {rows, columns});
    return ir_.add(Matrix{name, weight, biased ? static_cast<int32_t>(add_tensor(name + ".bias", {rows})) : kNone});
  }

  // One tensor of several matrices, `rows` each, one above the other.
  std::vector<uint32_t> matrices(const std::string& name, const std::vector<std::string>& parts, uint32_t rows,
                                 bool biased) {
    const auto all = static_cast<uint32_t>(parts.size()) * rows;
    const Tensor weight = weights_.take(name + ".weight", {all, sizes_.hidden});
    std::optional<Tensor> bias;
    if (biased) {
      bias = weights_.take(name + ".bias", {all});
    }
    std::vector<uint32_t> ids;
    for (const std::string& part : parts) {
      const uint32_t first = static_cast<uint32_t>(ids.size()) * rows;
      const std::string part_name = name + "." + part;
      Matrix one{part_name, ir_.add(row_slice(weight, part_name + ".weight", first, rows))};
      if (bias) {
        one.bias = static_cast<int32_t>(ir_.add(row_slice(*bias, part_name + ".bias", first, rows)));
      }
      ids.push_back(ir_.add(one));
    }
    return ids;
  }

  void add_block(uint32_t layer) {
    const std::string name = "layers." + std::to_string(layer) + ".";
    const bool attention_bias = config_.boolean("attention_bias", false), mlp_bias = config_.boolean("mlp_bias", false);
    // The first layer's input is normed already.
    const uint32_t in = layer == 0 ? hidden_ : ir_.add_norm(hidden_, kNone, norm(name + "attn_norm"));
    const auto qkv = matrices(name + "attn.Wqkv", {"query", "key", "value"}, sizes_.hidden, attention_bias);
    const uint32_t attended = ir_.attention(in, qkv[0], qkv[1], qkv[2], sizes_.heads, sizes_.hidden / sizes_.heads);
    ir_.last_attention().rotary = rotary_of(local_[layer]);
    ir_.last_attention().window = local_[layer] ? window_ : 0;
    const uint32_t projected =
        ir_.linear(attended, matrix(name + "attn.Wo", sizes_.hidden, sizes_.hidden, attention_bias));
    const uint32_t middle = ir_.add_norm(projected, static_cast<int32_t>(hidden_), kNone);

    const uint32_t normed = ir_.add_norm(middle, kNone, norm(name + "mlp_norm"));
    const auto up = matrices(name + "mlp.Wi", {"input", "gate"}, sizes_.intermediate, mlp_bias);
    const uint32_t gated = ir_.linear(normed, up[0], sizes_.activation, static_cast<int32_t>(up[1]));
    const uint32_t down = ir_.linear(gated, matrix(name + "mlp.Wo", sizes_.hidden, sizes_.intermediate, mlp_bias));
    hidden_ = ir_.add_norm(down, static_cast<int32_t>(middle), kNone);
  }

  // ---- Heads ----

  Head guess_head() const {
    if (weights_.has("classifier.weight")) {
      return Head::sequence;
    }
    return weights_.has("head.dense.weight") ? Head::masked_lm : Head::encoder;
  }

  // ModernBertPredictionHead, on tokens or on sequences.
  uint32_t head_of(uint32_t in) {
    const uint32_t dense =
        ir_.linear(in, matrix("head.dense", sizes_.hidden, sizes_.hidden, config_.boolean("classifier_bias", false)),
                   read_activation(config_, "classifier_activation", "gelu"));
    return ir_.add_norm(dense, kNone, norm("head.norm"));
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:
        return add_output("logits", ir_.linear(head_of(hidden_), decoder()));
      case Head::sequence:
        return add_classifier(head_of(ir_.pool(hidden_, pooling())), "classifier", "logits", configured_scoring());
      case Head::token:
        return add_tagger(head_of(hidden_), "classifier");
      case Head::question:
        return add_question_answering(head_of(hidden_), "classifier");
      default:
        return add_encoder_outputs(hidden_, kNone);
    }
  }

  uint32_t decoder() {
    const uint32_t table = sizes_.tied ? words_ : add_tensor("decoder.weight", {sizes_.vocabulary, sizes_.hidden});
    const int32_t bias = config_.boolean("decoder_bias", true)
                             ? static_cast<int32_t>(add_tensor("decoder.bias", {sizes_.vocabulary}))
                             : kNone;
    return ir_.add(Matrix{"decoder", table, bias});
  }

  fmt::PoolKind pooling() const {
    const std::string kind = config_.text("classifier_pooling", "cls");
    if (kind != "cls" && kind != "mean") {
      config_.refuse_field("classifier_pooling", "\"cls\" or \"mean\"");
    }
    return kind == "cls" ? fmt::PoolKind::first : fmt::PoolKind::mean;
  }

  const JsonObject& config_;
  EncoderConfig sizes_;
  std::vector<bool> local_;  // of each layer
  uint32_t window_ = 0;
  double global_theta_ = 0, local_theta_ = 0;
  int32_t global_rotary_ = kNone, local_rotary_ = kNone;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_modernbert(BuildRequest& request) {
  return ModernBertBuilder(request).build();
}

}  // namespace kinglet::convert
