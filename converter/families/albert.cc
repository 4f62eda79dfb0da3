// ALBERT (Lan et al., 2020; transformers 4.57.3, models/albert/modeling_albert.py): groups of layers that share their
// weights, and embedding tables narrower than the layers. Shared layers are the same matrices named again.
#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

// AlbertConfig's.
EncoderConfig defaults() {
  EncoderConfig sizes;
  sizes.hidden = 4096;
  sizes.heads = 64;
  sizes.intermediate = 16384;
  sizes.vocabulary = 30000;
  sizes.embedding = 128;
  return sizes;
}

class AlbertBuilder : Builder {
 public:
  explicit AlbertBuilder(BuildRequest& request)
      : Builder(request, "albert", {"albert."}),
        sizes_(read_encoder_config(request.config, defaults(), "gelu_new")),
        groups_(static_cast<uint32_t>(request.config.number("num_hidden_groups", 1, 1, 1000))),
        inner_(static_cast<uint32_t>(request.config.number("inner_group_num", 1, 1, 1000))) {
    if (!sizes_.pruned_heads.empty()) {
      request.config.refuse_field("pruned_heads", "none: layers share their heads");
    }
  }

  ModelIR build() {
    const Head head =
        choose_head(request_, "Albert", guess_head(),
                    {Head::encoder, Head::masked_lm, Head::pretraining, Head::sequence, Head::token, Head::question});
    start(sizes_, head);
    hidden_ = add_embeddings(sizes_);
    hidden_ = ir_.linear(hidden_, add_matrix("encoder.embedding_hidden_mapping_in", sizes_.hidden, sizes_.embedding));
    add_layers();
    add_head(head);
    return finish({"predictions.*", "sop_classifier.*", "classifier.*", "qa_outputs.*", "pooler.*"});
  }

 private:
  Head guess_head() const {
    if (weights_.has("classifier.weight")) {
      return weights_.has("pooler.weight") ? Head::sequence : Head::token;
    }
    if (weights_.has("qa_outputs.weight")) {
      return Head::question;
    }
    if (weights_.has("predictions.dense.weight")) {
      return weights_.has("sop_classifier.classifier.weight") ? Head::pretraining : Head::masked_lm;
    }
    return Head::encoder;
  }

  void add_layers() {
    std::vector<std::vector<Layer>> groups(groups_);
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      // In floating point, as transformers has it.
      const auto group = static_cast<uint32_t>(i / (static_cast<double>(sizes_.layers) / groups_));
      for (uint32_t inner = 0; inner < inner_; ++inner) {
        if (groups[group].size() == inner) {
          groups[group].push_back(add_layer(layer_names(group, inner), sizes_, i));
        }
        hidden_ = run_layer(hidden_, groups[group][inner], sizes_.activation);
      }
    }
  }

  static LayerNames layer_names(uint32_t group, uint32_t inner) {
    const std::string name =
        "encoder.albert_layer_groups." + std::to_string(group) + ".albert_layers." + std::to_string(inner) + ".";
    return {name + "attention.query", name + "attention.key",        name + "attention.value",
            name + "attention.dense", name + "attention.LayerNorm",  name + "ffn",
            name + "ffn_output",      name + "full_layer_layer_norm"};
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:
        return add_output("logits", predictions());
      case Head::pretraining:
        add_output("prediction_logits", predictions());
        return add_pair_classifier(pooled(), "sop_classifier.classifier", "sop_logits");
      case Head::sequence:
        return add_classifier(pooled(), "classifier", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(hidden_, weights_.has("pooler.weight") ? static_cast<int32_t>(pooled()) : kNone);
    }
  }

  uint32_t pooled() { return add_pooler(hidden_, "pooler", sizes_.hidden, fmt::Activation::tanh); }

  uint32_t predictions() {
    return add_predictions(hidden_, sizes_, sizes_.embedding, "predictions.dense", sizes_.activation,
                           "predictions.LayerNorm", "predictions.decoder", "predictions.bias");
  }

  EncoderConfig sizes_;
  uint32_t groups_, inner_;  // groups of layers, and layers in each
  uint32_t hidden_ = 0;      // the value that the encoder has reached
};

}  // namespace

ModelIR build_albert(BuildRequest& request) {
  return AlbertBuilder(request).build();
}

}  // namespace kinglet::convert
