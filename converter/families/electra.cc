// ELECTRA (Clark et al., 2020; transformers 4.57.3, models/electra/modeling_electra.py), discriminator and generator:
// BERT's layers behind an embedding projection, and heads of its own.
#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

// ElectraConfig's.
EncoderConfig defaults() {
  EncoderConfig sizes;
  sizes.hidden = 256;
  sizes.heads = 4;
  sizes.intermediate = 1024;
  sizes.embedding = 128;
  return sizes;
}

class ElectraBuilder : Builder {
 public:
  explicit ElectraBuilder(BuildRequest& request)
      : Builder(request, "electra", {"electra."}), sizes_(read_encoder_config(request.config, defaults())) {}

  ModelIR build() {
    const Head head = choose_head(
        request_, "Electra", guess_head(),
        {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question, Head::replaced_tokens});
    start(sizes_, head);
    hidden_ = add_embeddings(sizes_);
    if (sizes_.embedding != sizes_.hidden) {
      hidden_ = ir_.linear(hidden_, add_matrix("embeddings_project", sizes_.hidden, sizes_.embedding));
    }
    for (uint32_t layer = 0; layer < sizes_.layers; ++layer) {
      hidden_ = run_layer(hidden_, add_layer(bert_layer(layer), sizes_, layer), sizes_.activation);
    }
    add_head(head);
    return finish({"generator_predictions.*", "generator_lm_head.*", "discriminator_predictions.*", "classifier.*",
                   "qa_outputs.*"});
  }

 private:
  Head guess_head() const {
    if (weights_.has("classifier.out_proj.weight")) {
      return Head::sequence;
    }
    if (weights_.has("classifier.weight")) {
      return Head::token;
    }
    if (weights_.has("qa_outputs.weight")) {
      return Head::question;
    }
    if (weights_.has("discriminator_predictions.dense.weight")) {
      return Head::replaced_tokens;
    }
    return weights_.has("generator_predictions.dense.weight") ? Head::masked_lm : Head::encoder;
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:  // always with gelu, whatever hidden_act is
        return add_output("logits", add_predictions(hidden_, sizes_, sizes_.embedding, "generator_predictions.dense",
                                                    fmt::Activation::gelu, "generator_predictions.LayerNorm",
                                                    "generator_lm_head", "generator_lm_head.bias"));
      case Head::replaced_tokens:
        return add_discriminator();
      case Head::sequence:
        return add_classifier(add_pooler(hidden_, "classifier.dense", sizes_.hidden, fmt::Activation::gelu),
                              "classifier.out_proj", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(hidden_, kNone);
    }
  }

  // One number per token: above 0 where the token was replaced.
  void add_discriminator() {
    const std::string name = "discriminator_predictions.dense";
    const uint32_t dense = ir_.linear(hidden_, add_matrix(name, sizes_.hidden, sizes_.hidden), sizes_.activation);
    add_output("logits", ir_.linear(dense, add_matrix(name + "_prediction", 1, sizes_.hidden, true)), 0);
  }

  EncoderConfig sizes_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_electra(BuildRequest& request) {
  return ElectraBuilder(request).build();
}

}  // namespace kinglet::convert
