// DistilBERT (Sanh et al., 2019; transformers 4.57.3, models/distilbert/modeling_distilbert.py): BERT's layers without
// token types and pooler, under names of its own.
#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

// Type ids are read and have no bearing: its tokenizers may mark a pair's second text.
constexpr uint32_t kIgnoredTypes = 2;

EncoderConfig read_distilbert_config(const JsonObject& config) {
  refuse_unsupported(config);
  const auto number = [&](const char* field, uint64_t fallback, uint64_t least, uint64_t most) {
    return static_cast<uint32_t>(config.number(field, fallback, least, most));
  };
  // Other families' names of a field stand for its own, and win over it.
  const auto named = [&](const char* other, const char* own) { return config.has(other) ? other : own; };
  EncoderConfig sizes;
  sizes.hidden = number(named("hidden_size", "dim"), 768, 1, 65536);
  sizes.layers = number(named("num_hidden_layers", "n_layers"), 6, 0, 1000);
  sizes.heads = number(named("num_attention_heads", "n_heads"), 12, 1, 65536);
  sizes.intermediate = number("hidden_dim", 3072, 1, 65536);
  sizes.positions = number("max_position_embeddings", 512, 1, 1 << 20);
  sizes.vocabulary = number("vocab_size", 30522, 1, 1 << 24);
  sizes.types = kIgnoredTypes;
  sizes.activation = read_activation(config, "activation", "gelu");
  sizes.tied = config.boolean("tie_word_embeddings", true);
  sizes.pruned_heads = read_pruned_heads(config, sizes.layers, sizes.heads);
  sizes.intermediates = read_intermediate_sizes(config, sizes.layers, sizes.intermediate);
  if (sizes.hidden % sizes.heads != 0) {
    refuse(config.name(), ": dim is ", sizes.hidden, ", expected a multiple of n_heads, ", sizes.heads);
  }
  return sizes;
}

class DistilBertBuilder : Builder {
 public:
  explicit DistilBertBuilder(BuildRequest& request)
      : Builder(request, "distilbert", {"distilbert."}), sizes_(read_distilbert_config(request.config)) {}

  ModelIR build() {
    const Head head = choose_head(request_, "DistilBert", guess_head(),
                                  {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question});
    start(sizes_, head);
    words_ = add_tensor("embeddings.word_embeddings.weight", {sizes_.vocabulary, sizes_.hidden});
    // Sinusoidal ones (sinusoidal_pos_embds) are stored as well.
    const uint32_t positions = add_tensor("embeddings.position_embeddings.weight", {sizes_.positions, sizes_.hidden});
    hidden_ = ir_.embed({{fmt::EmbedIndex::token, words_}, {fmt::EmbedIndex::position, positions}},
                        add_norm("embeddings.LayerNorm", sizes_.hidden, sizes_.epsilon));
    for (uint32_t layer = 0; layer < sizes_.layers; ++layer) {
      hidden_ = run_layer(hidden_, add_layer(layer_names(layer), sizes_, layer), sizes_.activation);
    }
    add_head(head);
    return finish({"vocab_transform.*", "vocab_layer_norm.*", "vocab_projector.*", "pre_classifier.*", "classifier.*",
                   "qa_outputs.*"});
  }

 private:
  Head guess_head() const {
    if (weights_.has("classifier.weight")) {
      return weights_.has("pre_classifier.weight") ? Head::sequence : Head::token;
    }
    if (weights_.has("qa_outputs.weight")) {
      return Head::question;
    }
    return weights_.has("vocab_transform.weight") ? Head::masked_lm : Head::encoder;
  }

  static LayerNames layer_names(uint32_t index) {
    const std::string name = "transformer.layer." + std::to_string(index) + ".";
    return {name + "attention.q_lin", name + "attention.k_lin", name + "attention.v_lin", name + "attention.out_lin",
            name + "sa_layer_norm",   name + "ffn.lin1",        name + "ffn.lin2",        name + "output_layer_norm"};
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:
        return add_output("logits",
                          add_predictions(hidden_, sizes_, sizes_.hidden, "vocab_transform", sizes_.activation,
                                          "vocab_layer_norm", "vocab_projector", "vocab_projector.bias"));
      case Head::sequence:
        return add_classifier(add_pooler(hidden_, "pre_classifier", sizes_.hidden, fmt::Activation::relu), "classifier",
                              "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(hidden_, kNone);
    }
  }

  EncoderConfig sizes_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_distilbert(BuildRequest& request) {
  return DistilBertBuilder(request).build();
}

}  // namespace kinglet::convert
