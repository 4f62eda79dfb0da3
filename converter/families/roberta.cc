// RoBERTa (Liu et al., 2019) and what is computed the same way under other names, XLM-RoBERTa and CamemBERT
// (transformers 4.57.3, models/roberta/modeling_roberta.py): BERT with positions that begin after the padding's, and
// heads of its own.
#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

// RobertaConfig's.
EncoderConfig defaults() {
  EncoderConfig sizes;
  sizes.vocabulary = 50265;
  return sizes;
}

// Checkpoints of one of these are also found under another's class name.
std::string class_prefix(const JsonObject& config) {
  const std::string architecture = read_architecture(config);
  for (const char* prefix : {"XLMRoberta", "Camembert"}) {
    if (architecture.starts_with(prefix)) {
      return prefix;
    }
  }
  return "Roberta";
}

class RobertaBuilder : Builder {
 public:
  RobertaBuilder(BuildRequest& request, const char* architecture)
      : Builder(request, architecture, {"roberta.", "xlm_roberta.", "camembert."}),
        sizes_(read_encoder_config(request.config, defaults())),
        first_position_(static_cast<uint32_t>(request.config.number("pad_token_id", 1, 0, 1 << 20)) + 1) {
    if (first_position_ >= sizes_.positions) {
      refuse(request.config.name(), ": max_position_embeddings is ", sizes_.positions,
             ", expected more than pad_token_id + 1, ", first_position_);
    }
  }

  ModelIR build() {
    const Head head = choose_head(request_, class_prefix(request_.config), guess_head(),
                                  {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question});
    start(sizes_, head, first_position_);
    hidden_ = add_embeddings(sizes_, first_position_);
    for (uint32_t layer = 0; layer < sizes_.layers; ++layer) {
      hidden_ = run_layer(hidden_, add_layer(bert_layer(layer), sizes_, layer), sizes_.activation);
    }
    add_head(head);
    return finish({"lm_head.*", "classifier.*", "qa_outputs.*", "pooler.*"});
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
    return weights_.has("lm_head.dense.weight") ? Head::masked_lm : Head::encoder;
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:  // always with gelu, whatever hidden_act is
        return add_output("logits",
                          add_predictions(hidden_, sizes_, sizes_.hidden, "lm_head.dense", fmt::Activation::gelu,
                                          "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"));
      case Head::sequence:
        return add_classifier(add_pooler(hidden_, "classifier.dense", sizes_.hidden, fmt::Activation::tanh),
                              "classifier.out_proj", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(hidden_, weights_.has("pooler.dense.weight")
                                                ? static_cast<int32_t>(add_pooler(hidden_, "pooler.dense",
                                                                                  sizes_.hidden, fmt::Activation::tanh))
                                                : kNone);
    }
  }

  EncoderConfig sizes_;
  uint32_t first_position_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_roberta(BuildRequest& request) {
  return RobertaBuilder(request, "roberta").build();
}

ModelIR build_xlm_roberta(BuildRequest& request) {
  return RobertaBuilder(request, "xlm-roberta").build();
}

ModelIR build_camembert(BuildRequest& request) {
  return RobertaBuilder(request, "camembert").build();
}

}  // namespace kinglet::convert
