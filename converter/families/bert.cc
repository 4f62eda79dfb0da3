// BERT (Devlin et al., 2019) with every head that transformers 4.57.3 gives it (models/bert/modeling_bert.py).
#include "families/builder.h"

namespace kinglet::convert {

namespace {

class BertBuilder : Builder {
 public:
  explicit BertBuilder(BuildRequest& request)
      : Builder(request, "bert", {"bert."}), sizes_(read_encoder_config(request.config, EncoderConfig())) {}

  ModelIR build() {
    const Head head = choose_head(request_, "Bert", guess_head());
    start(sizes_, head);
    hidden_ = add_embeddings(sizes_);
    for (uint32_t layer = 0; layer < sizes_.layers; ++layer) {
      hidden_ = run_layer(hidden_, add_layer(bert_layer(layer), sizes_, layer), sizes_.activation);
    }
    add_head(head);
    // Heads that transformers leaves alone in a model without them.
    return finish({"cls.*", "classifier.*", "qa_outputs.*", "pooler.*"});
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

  void add_head(Head head) {
    switch (head) {
      case Head::encoder:
        return add_encoder_outputs(hidden_,
                                   weights_.has("pooler.dense.weight") ? static_cast<int32_t>(pooled()) : kNone);
      case Head::masked_lm:
        return add_output("logits", predictions());
      case Head::pretraining:
        add_output("prediction_logits", predictions());
        return add_pair_classifier(pooled(), "cls.seq_relationship", "seq_relationship_logits");
      case Head::next_sentence:
        return add_pair_classifier(pooled(), "cls.seq_relationship", "logits");
      case Head::sequence:
        return add_classifier(pooled(), "classifier", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      case Head::replaced_tokens:
        return;  // ELECTRA's alone
    }
  }

  uint32_t pooled() { return add_pooler(hidden_, "pooler.dense", sizes_.hidden, fmt::Activation::tanh); }

  uint32_t predictions() {
    return add_predictions(hidden_, sizes_, sizes_.hidden, "cls.predictions.transform.dense", sizes_.activation,
                           "cls.predictions.transform.LayerNorm", "cls.predictions.decoder", "cls.predictions.bias");
  }

  EncoderConfig sizes_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_bert(BuildRequest& request) {
  return BertBuilder(request).build();
}

}  // namespace kinglet::convert
