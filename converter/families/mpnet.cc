// MPNet (Song et al., 2020; transformers 4.57.3, models/mpnet/modeling_mpnet.py): BERT whose attention has a bias for
// each head and bucket of distances, one table for all layers. The buckets are worked out here: the file has a bias for
// every distance.
#include <cmath>
#include <cstdlib>
#include <numbers>

#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

constexpr uint32_t kFirstPosition = 2;  // behind the padding token's
constexpr uint32_t kBuckets = 32;       // modeling_mpnet.py does not read relative_attention_num_buckets there
constexpr int32_t kFarthest = 128;      // all longer distances share a bucket

// MPNetConfig's.
EncoderConfig defaults() {
  EncoderConfig sizes;
  sizes.vocabulary = 30527;
  return sizes;
}

// MPNetEncoder.relative_position_bucket, in floats as there.
uint32_t bucket_of(int32_t distance) {
  constexpr int32_t kHalf = kBuckets / 2, kExact = kHalf / 2;
  const int32_t n = std::abs(distance);
  int32_t bucket = n;
  if (n >= kExact) {
    const auto scale = static_cast<float>(std::log(static_cast<double>(kFarthest) / kExact));
    const float place = std::log(static_cast<float>(n) / kExact) / scale * (kHalf - kExact);
    bucket = std::min(kExact + static_cast<int32_t>(place), kHalf - 1);
  }
  return static_cast<uint32_t>(distance > 0 ? bucket + kHalf : bucket);
}

class MpnetBuilder : Builder {
 public:
  explicit MpnetBuilder(BuildRequest& request)
      : Builder(request, "mpnet", {"mpnet."}),
        sizes_(read_encoder_config(request.config, defaults())),
        buckets_(
            static_cast<uint32_t>(request.config.number("relative_attention_num_buckets", kBuckets, kBuckets, 65536))) {
    sizes_.types = 2;  // without a table: tokenizers may give types to pairs
    if (sizes_.positions <= kFirstPosition) {
      request.config.refuse_field("max_position_embeddings", "more than 2: the first two stand for no token");
    }
  }

  ModelIR build() {
    const Head head = choose_head(request_, "MPNet", guess_head(),
                                  {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question});
    start(sizes_, head, kFirstPosition);
    words_ = add_tensor("embeddings.word_embeddings.weight", {sizes_.vocabulary, sizes_.hidden});
    const uint32_t positions = add_tensor("embeddings.position_embeddings.weight", {sizes_.positions, sizes_.hidden});
    hidden_ = ir_.embed({{fmt::EmbedIndex::token, words_}, {fmt::EmbedIndex::counted_position, positions, kFirstPosition}},
                        add_norm("embeddings.LayerNorm", sizes_.hidden, sizes_.epsilon));
    const uint32_t bias = add_relative_bias();
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      const size_t first_op = ir_.program.size();
      hidden_ = run_layer(hidden_, add_layer(layer_names(i), sizes_, i), sizes_.activation);
      std::get<AttentionOp>(ir_.program[first_op]).relative_bias = static_cast<int32_t>(bias_of_layer(bias, i));
    }
    add_head(head);
    return finish({"lm_head.*", "classifier.*", "qa_outputs.*", "pooler.*"});
  }

 private:
  Head guess_head() const {
    if (weights_.has("lm_head.dense.weight")) {
      return Head::masked_lm;
    }
    if (weights_.has("classifier.dense.weight")) {
      return Head::sequence;
    }
    if (weights_.has("classifier.weight")) {
      return Head::token;
    }
    return weights_.has("qa_outputs.weight") ? Head::question : Head::encoder;
  }

  static LayerNames layer_names(uint32_t index) {
    LayerNames names = bert_layer(index);
    const std::string attention = "encoder.layer." + std::to_string(index) + ".attention.";
    names.query = attention + "attn.q";
    names.key = attention + "attn.k";
    names.value = attention + "attn.v";
    names.output = attention + "attn.o";
    names.attention_norm = attention + "LayerNorm";
    return names;
  }

  // The buckets' biases per head and distance, for scores in base 2.
  uint32_t add_relative_bias() {
    const std::string name = "encoder.relative_attention_bias.weight";
    const std::vector<float> buckets = weights_.take(name, {buckets_, sizes_.heads}).read_all();
    constexpr uint32_t kColumns = 2 * kFarthest + 1;
    std::vector<float> biases(size_t{sizes_.heads} * kColumns);
    for (uint32_t head = 0; head < sizes_.heads; ++head) {
      for (uint32_t i = 0; i < kColumns; ++i) {
        const float bias = buckets[bucket_of(static_cast<int32_t>(i) - kFarthest) * sizes_.heads + head];
        biases[head * kColumns + i] = static_cast<float>(bias * std::numbers::log2e);
      }
    }
    return ir_.add(Tensor{name, {sizes_.heads, kColumns}, memory_source(std::move(biases), kColumns)});
  }

  // Layers share one table, with a row per head; one that has lost heads has a table of its own.
  uint32_t bias_of_layer(uint32_t shared, uint32_t index) {
    const auto pruned = sizes_.pruned_heads.find(index);
    if (pruned == sizes_.pruned_heads.end()) {
      return shared;
    }
    const auto columns = static_cast<uint32_t>(ir_.tensors[shared].columns());
    const std::vector<float> all = ir_.tensors[shared].read_all();
    std::vector<float> rows;
    for (uint32_t head = 0; head < sizes_.heads; ++head) {
      if (pruned->second.count(head) == 0) {
        rows.insert(rows.end(), &all[head * columns], &all[head * columns] + columns);
      }
    }
    const auto count = static_cast<uint32_t>(rows.size() / columns);
    return ir_.add(Tensor{ir_.tensors[shared].name + '.' + std::to_string(index),
                          {count, columns},
                          memory_source(std::move(rows), columns)});
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:
        return add_output("logits",
                          add_predictions(hidden_, sizes_, sizes_.hidden, "lm_head.dense", fmt::Activation::gelu,
                                          "lm_head.layer_norm", "lm_head.decoder", "lm_head.bias"));
      case Head::sequence:
        return add_classifier(pooled("classifier.dense"), "classifier.out_proj", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(
            hidden_, weights_.has("pooler.dense.weight") ? static_cast<int32_t>(pooled("pooler.dense")) : kNone);
    }
  }

  uint32_t pooled(const std::string& matrix) {
    return add_pooler(hidden_, matrix, sizes_.hidden, fmt::Activation::tanh);
  }

  EncoderConfig sizes_;
  uint32_t buckets_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_mpnet(BuildRequest& request) {
  return MpnetBuilder(request).build();
}

}  // namespace kinglet::convert
