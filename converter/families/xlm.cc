// XLM (Conneau and Lample, 2019; transformers 4.57.3, models/xlm/modeling_xlm.py): BERT's layer under other names, with
// an embedding of the language, which takes the place of the types: a token's type id is its language. It takes ids;
// the tokenizer, Moses and byte pairs over words, is not built.
#include <array>
#include <filesystem>

#include "base/text.h"
#include "families/builder.h"

namespace kinglet::convert {

namespace {

// transformers calls two heads otherwise than those of other families, and has one that is not built.
JsonObject with_common_names(const JsonObject& config) {
  const std::string architecture = read_architecture(config);
  if (architecture == "XLMForQuestionAnswering") {
    config.refuse_field("architectures", "XLMForQuestionAnsweringSimple: a beam search over spans is not supported");
  }
  Json json = config.json();
  if (architecture == "XLMWithLMHeadModel") {
    json["architectures"][0] = "XLMForMaskedLM";
  } else if (architecture == "XLMForQuestionAnsweringSimple") {
    json["architectures"][0] = "XLMForQuestionAnswering";
  }
  return JsonObject(std::move(json), config.name());
}

class XlmBuilder : Builder {
 public:
  explicit XlmBuilder(BuildRequest& request) : Builder(request, "xlm", {"transformer."}), config_(request_.config) {
    refuse_unsupported(config_);
    refuse_tokenizer();
    sizes_.hidden = number({"emb_dim", "hidden_size"}, 2048, 1, 16384);
    sizes_.layers = number({"n_layers", "num_hidden_layers"}, 12, 0, 1000);
    sizes_.heads = number({"n_heads", "num_attention_heads"}, 16, 1, 65536);
    sizes_.intermediate = 4 * sizes_.hidden;
    sizes_.positions = number({"max_position_embeddings", ""}, 512, 1, 1 << 20);
    sizes_.vocabulary = number({"n_words", "vocab_size"}, 30145, 1, 1 << 24);
    sizes_.epsilon = static_cast<float>(config_.real("layer_norm_eps", 1e-12));
    sizes_.activation = config_.boolean("gelu_activation", true) ? fmt::Activation::gelu : fmt::Activation::relu;
    sizes_.tied = config_.boolean("tie_word_embeddings", true);
    sizes_.pruned_heads = read_pruned_heads(config_, sizes_.layers, sizes_.heads);
    const uint32_t languages = number({"n_langs", ""}, 1, 1, 65536);
    has_languages_ = languages > 1 && config_.boolean("use_lang_emb", true);
    sizes_.types = has_languages_ ? languages : 1;
    if (sizes_.hidden % sizes_.heads != 0) {
      refuse(config_.name(), ": emb_dim is ", sizes_.hidden, ", expected a multiple of n_heads, ", sizes_.heads);
    }
    if (!(sizes_.epsilon >= 0) || sizes_.epsilon > 1) {
      config_.refuse_field("layer_norm_eps", "a number from 0 to 1");
    }
    if (!config_.boolean("is_encoder", true)) {
      config_.refuse_field("is_encoder", "true");
    }
    if (config_.boolean("causal", false)) {
      config_.refuse_field("causal", "false");
    }
  }

  ModelIR build() {
    request_.config = with_common_names(request_.config);
    const Head head = choose_head(request_, "XLM", guess_head(),
                                  {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question});
    start(sizes_, head);
    words_ = add_tensor("embeddings.weight", {sizes_.vocabulary, sizes_.hidden});
    std::vector<EmbedTable> tables = {
        {fmt::EmbedIndex::token, words_},
        {fmt::EmbedIndex::position, add_tensor("position_embeddings.weight", {sizes_.positions, sizes_.hidden})}};
    if (has_languages_) {
      tables.push_back({fmt::EmbedIndex::type, add_tensor("lang_embeddings.weight", {sizes_.types, sizes_.hidden})});
    }
    hidden_ = ir_.embed(std::move(tables), add_norm("layer_norm_emb", sizes_.hidden, sizes_.epsilon));
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      hidden_ = run_layer(hidden_, add_layer(layer_names(i), sizes_, i), sizes_.activation);
    }
    add_head(head);
    return finish({"pred_layer.*", "sequence_summary.*", "classifier.*", "qa_outputs.*"});
  }

 private:
  // The first of the names that config.json has.
  uint32_t number(const std::array<const char*, 2>& names, uint64_t fallback, uint64_t least, uint64_t most) const {
    const char* const name = !config_.has(names[0]) && config_.has(names[1]) ? names[1] : names[0];
    return static_cast<uint32_t>(config_.number(name, fallback, least, most));
  }

  void refuse_tokenizer() const {
    const std::filesystem::path folder = request_.source;
    std::error_code ignored;
    if (std::filesystem::exists(folder / "tokenizer.json", ignored)) {
      return;  // not Moses
    }
    for (const char* name : {"vocab.json", "merges.txt"}) {
      if (std::filesystem::exists(folder / name, ignored)) {
        refuse(request_.source, ": has ", name, " of XLM's Moses tokenizer, which is not supported; expected a folder",
               " without tokenizer files, for a model that takes ids");
      }
    }
  }

  static LayerNames layer_names(uint32_t index) {
    const std::string layer = std::to_string(index);
    const std::string attention = "attentions." + layer + ".", ffn = "ffns." + layer + ".";
    return {attention + "q_lin",    attention + "k_lin", attention + "v_lin", attention + "out_lin",
            "layer_norm1." + layer, ffn + "lin1",        ffn + "lin2",        "layer_norm2." + layer};
  }

  Head guess_head() const {
    if (weights_.has("sequence_summary.summary.weight")) {
      return Head::sequence;
    }
    if (weights_.has("classifier.weight")) {
      return Head::token;
    }
    if (weights_.has("qa_outputs.weight")) {
      return Head::question;
    }
    return weights_.has("pred_layer.proj.bias") ? Head::masked_lm : Head::encoder;
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:
        return add_output("logits", ir_.linear(hidden_, predictions()));
      case Head::sequence:
        return add_classifier(ir_.pool(hidden_, summary()), "sequence_summary.summary", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(hidden_, kNone);
    }
  }

  uint32_t predictions() {
    if (config_.boolean("asm", false)) {
      config_.refuse_field("asm", "false: an adaptive softmax is not supported");
    }
    const std::string name = "pred_layer.proj";
    const uint32_t table = sizes_.tied ? words_ : add_tensor(name + ".weight", {sizes_.vocabulary, sizes_.hidden});
    return ir_.add(Matrix{name, table, static_cast<int32_t>(add_tensor(name + ".bias", {sizes_.vocabulary}))});
  }

  // How XLMSequenceSummary makes one vector of a sequence, before its matrix.
  fmt::PoolKind summary() const {
    for (const char* field : {"summary_use_proj", "summary_proj_to_labels"}) {
      if (!config_.boolean(field, true)) {
        config_.refuse_field(field, "true");
      }
    }
    if (!config_.text("summary_activation", "").empty()) {
      config_.refuse_field("summary_activation", "none");
    }
    const std::string type = config_.text("summary_type", "first");
    if (type != "first" && type != "mean") {
      config_.refuse_field("summary_type", "\"first\" or \"mean\"");
    }
    return type == "first" ? fmt::PoolKind::first : fmt::PoolKind::mean;
  }

  const JsonObject config_;
  EncoderConfig sizes_;
  bool has_languages_ = false;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

}  // namespace

ModelIR build_xlm(BuildRequest& request) {
  return XlmBuilder(request).build();
}

}  // namespace kinglet::convert
