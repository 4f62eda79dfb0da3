// MobileBERT (Sun et al., 2020; transformers 4.57.3, models/mobilebert/modeling_mobilebert.py): narrow layers between
// bottlenecks, stacked feed-forwards, norms that only scale and shift, and embeddings of three neighbouring tokens.
#include <mutex>

#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

// Of norms that transformers makes without naming one.
constexpr float kTorchEpsilon = 1e-5f;

struct MobileBertConfig {
  EncoderConfig sizes;
  uint32_t width;  // of attention and feed-forwards
  uint32_t feed_forwards;
  fmt::NormKind norm;
  bool trigram, bottleneck, attention_in_bottleneck, shared_bottleneck, pooler;
};

// MobileBertConfig's.
EncoderConfig defaults() {
  EncoderConfig sizes;
  sizes.hidden = 512;
  sizes.layers = 24;
  sizes.heads = 4;
  sizes.intermediate = 512;
  sizes.embedding = 128;
  return sizes;
}

MobileBertConfig read_mobilebert_config(const JsonObject& config) {
  MobileBertConfig mobile = {};
  mobile.sizes = read_encoder_config(config, defaults(), "relu", false);
  mobile.bottleneck = config.boolean("use_bottleneck", true);
  mobile.width = mobile.sizes.hidden;
  if (mobile.bottleneck) {
    mobile.width = static_cast<uint32_t>(config.number("intra_bottleneck_size", 128, 1, 65536));
  }
  mobile.feed_forwards = static_cast<uint32_t>(config.number("num_feedforward_networks", 4, 1, 1000));
  mobile.trigram = config.boolean("trigram_input", true);
  mobile.attention_in_bottleneck = config.boolean("use_bottleneck_attention", false);
  mobile.shared_bottleneck = config.boolean("key_query_shared_bottleneck", true);
  mobile.pooler = config.boolean("classifier_activation", true);
  const std::string norm = config.text("normalization_type", "no_norm");
  if (norm != "no_norm" && norm != "layer_norm") {
    config.refuse_field("normalization_type", "\"no_norm\" or \"layer_norm\"");
  }
  mobile.norm = norm == "no_norm" ? fmt::NormKind::affine : fmt::NormKind::layer;
  if (mobile.width % mobile.sizes.heads != 0) {
    refuse(config.name(), ": the layers are ", mobile.width, " wide, expected a multiple of num_attention_heads, ",
           mobile.sizes.heads);
  }
  if (!mobile.sizes.pruned_heads.empty()) {
    config.refuse_field("pruned_heads", "none in a MobileBERT");
  }
  const bool whole = mobile.bottleneck && !mobile.attention_in_bottleneck && !mobile.shared_bottleneck;
  if (whole && mobile.width != mobile.sizes.hidden) {
    config.refuse_field("key_query_shared_bottleneck", "true, since queries and keys are of the bottleneck's width");
  }
  return mobile;
}

// Two matrices side by side, the second one stored transposed.
class SideBySide final : public Source {
 public:
  SideBySide(Tensor left, Tensor right) : left_(std::move(left)), right_(std::move(right)) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    std::call_once(once_, [this] { turned_ = right_.read_all(); });
    const uint64_t left = left_.columns(), right = right_.rows(), stride = right_.columns();
    for (uint64_t row = first; row < first + count; ++row, out += left + right) {
      left_.source->read(row, 1, out);
      for (uint64_t column = 0; column < right; ++column) {
        out[left + column] = turned_[column * stride + row];
      }
    }
  }

 private:
  Tensor left_, right_;
  mutable std::once_flag once_;
  mutable std::vector<float> turned_;
};

class MobileBertBuilder : Builder {
 public:
  explicit MobileBertBuilder(BuildRequest& request)
      : Builder(request, "mobilebert", {"mobilebert."}),
        config_(read_mobilebert_config(request.config)),
        sizes_(config_.sizes) {}

  ModelIR build() {
    const Head head = choose_head(request_, "MobileBert", guess_head());
    start(sizes_, head);
    hidden_ = embed();
    for (uint32_t layer = 0; layer < sizes_.layers; ++layer) {
      hidden_ = run("encoder.layer." + std::to_string(layer) + ".");
    }
    add_head(head);
    return finish({"cls.*", "classifier.*", "qa_outputs.*", "pooler.*", "embeddings.embedding_transformation.*",
                   "encoder.layer.*.bottleneck.attention.*"});
  }

 private:
  Head guess_head() const {
    const bool predictions = weights_.has("cls.predictions.transform.dense.weight");
    const bool relationship = weights_.has("cls.seq_relationship.weight");
    if (weights_.has("classifier.weight")) {
      // Taggers have no pooler; other models have one, or none where they are told so.
      if (!config_.pooler && read_architecture(request_.config).empty()) {
        refuse(request_.config.name(),
               ": has no \"architectures\", and this classifier may be one of sequences or of"
               " tokens, expected MobileBertForSequenceClassification or MobileBertForTokenClassification");
      }
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

  int32_t norm(const std::string& name, uint32_t width, float epsilon) {
    return add_norm(name, width, epsilon, config_.norm);
  }

  // ---- The encoder ----

  uint32_t embed() {
    const uint32_t width = sizes_.embedding;
    words_ = add_tensor("embeddings.word_embeddings.weight", {sizes_.vocabulary, width});
    const EmbedTable types = {fmt::EmbedIndex::type,
                              add_tensor("embeddings.token_type_embeddings.weight", {sizes_.types, sizes_.hidden})};
    const EmbedTable positions = {fmt::EmbedIndex::position, add_tensor("embeddings.position_embeddings.weight",
                                                                        {sizes_.positions, sizes_.hidden})};
    const int32_t last = norm("embeddings.LayerNorm", sizes_.hidden, kTorchEpsilon);
    if (!config_.trigram && width == sizes_.hidden) {
      return ir_.embed({{fmt::EmbedIndex::token, words_}, positions, types}, last);
    }
    std::vector<EmbedTable> words = {{fmt::EmbedIndex::token, words_}};
    if (config_.trigram) {
      words = {{fmt::EmbedIndex::next_token, words_},
               {fmt::EmbedIndex::token, words_, 0, width},
               {fmt::EmbedIndex::previous_token, words_, 0, 2 * width}};
    }
    const uint32_t tokens = ir_.embed(std::move(words), kNone);
    const uint32_t transformed =
        ir_.linear(tokens, add_matrix("embeddings.embedding_transformation", sizes_.hidden, width_of(tokens)));
    return ir_.add_norm(transformed, static_cast<int32_t>(ir_.embed({positions, types}, kNone)), last);
  }

  // norm(x·Wᵀ + b + residual).
  uint32_t add(uint32_t in, const std::string& name, uint32_t width, int32_t residual, float epsilon) {
    const uint32_t out = ir_.linear(in, add_matrix(name + "dense", width, width_of(in)));
    return ir_.add_norm(out, residual, norm(name + "LayerNorm", width, epsilon));
  }

  uint32_t feed_forward(uint32_t in, const std::string& name, float epsilon) {
    const uint32_t up =
        ir_.linear(in, add_matrix(name + "intermediate.dense", sizes_.intermediate, config_.width), sizes_.activation);
    return add(up, name + "output.", config_.width, static_cast<int32_t>(in), epsilon);
  }

  uint32_t run(const std::string& name) {
    uint32_t narrow = hidden_, keys = hidden_, values = hidden_;
    if (config_.bottleneck) {
      narrow = add(hidden_, name + "bottleneck.input.", config_.width, kNone, sizes_.epsilon);
      if (config_.attention_in_bottleneck) {
        keys = values = narrow;
      } else if (config_.shared_bottleneck) {
        keys = add(hidden_, name + "bottleneck.attention.", config_.width, kNone, sizes_.epsilon);
      }
    }
    const std::string self = name + "attention.self.";
    const uint32_t query = add_matrix(self + "query", config_.width, width_of(keys));
    const uint32_t key = add_matrix(self + "key", config_.width, width_of(keys));
    const uint32_t value = add_matrix(self + "value", config_.width, width_of(values));
    const uint32_t attended =
        ir_.attention(keys, values, query, key, value, sizes_.heads, config_.width / sizes_.heads);
    uint32_t out =
        add(attended, name + "attention.output.", config_.width, static_cast<int32_t>(narrow), sizes_.epsilon);
    for (uint32_t i = 0; i + 1 < config_.feed_forwards; ++i) {
      out = feed_forward(out, name + "ffn." + std::to_string(i) + ".", sizes_.epsilon);
    }
    out = feed_forward(out, name, kTorchEpsilon);
    return config_.bottleneck
               ? add(out, name + "output.bottleneck.", sizes_.hidden, static_cast<int32_t>(hidden_), sizes_.epsilon)
               : out;
  }

  // ---- Heads ----

  void add_head(Head head) {
    switch (head) {
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
      default:
        return add_encoder_outputs(
            hidden_, !config_.pooler || weights_.has("pooler.dense.weight") ? static_cast<int32_t>(pooled()) : kNone);
    }
  }

  uint32_t pooled() {
    return config_.pooler ? add_pooler(hidden_, "pooler.dense", sizes_.hidden, fmt::Activation::tanh)
                          : ir_.pool(hidden_, fmt::PoolKind::first);
  }

  // The decoder is the word-embedding table with more columns beside it.
  uint32_t predictions() {
    const std::string name = "cls.predictions.", decoder = name + "decoder";
    const uint32_t normed = add_transform(hidden_, sizes_, sizes_.hidden, name + "transform.dense", sizes_.activation,
                                          name + "transform.LayerNorm");
    uint32_t table = sizes_.tied ? words_ : add_tensor(decoder + ".weight", {sizes_.vocabulary, sizes_.embedding});
    if (sizes_.hidden < sizes_.embedding) {
      refuse(request_.config.name(), ": embedding_size is ", sizes_.embedding, ", expected at most hidden_size, ",
             sizes_.hidden);
    }
    if (sizes_.hidden > sizes_.embedding) {
      const uint32_t more = sizes_.hidden - sizes_.embedding;
      auto whole = std::make_shared<SideBySide>(ir_.tensors[table],
                                                weights_.take(name + "dense.weight", {more, sizes_.vocabulary}));
      table = ir_.add(Tensor{decoder + ".weight", {sizes_.vocabulary, sizes_.hidden}, std::move(whole)});
    }
    return ir_.linear(normed, ir_.add(Matrix{decoder, table, add_decoder_bias(sizes_, decoder, name + "bias"), false}));
  }

  MobileBertConfig config_;
  const EncoderConfig& sizes_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_mobilebert(BuildRequest& request) {
  return MobileBertBuilder(request).build();
}

}  // namespace kinglet::convert
