// DeBERTa (He et al., 2021), v2 and v3 (transformers 4.57.3, models/deberta and models/deberta_v2): attention that adds
// products of contents with relative positions. The positions projected by a layer's own matrices do not depend on the
// text, so they are tables in the file.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/text.h"
#include "families/builder.h"
#include "families/relative_positions.h"

namespace kinglet::convert {

namespace {

// What both versions share.
class DebertaBuilder : protected Builder {
 protected:
  DebertaBuilder(BuildRequest& request, const char* architecture)
      : Builder(request, architecture, {"deberta."}), config_(request_.config) {
    refuse_unsupported(config_);
  }

  void read_config(const EncoderConfig& defaults) {
    sizes_.hidden = number("hidden_size", defaults.hidden, 1, 65536);
    sizes_.layers = number("num_hidden_layers", defaults.layers, 0, 1000);
    sizes_.heads = number("num_attention_heads", defaults.heads, 1, 65536);
    sizes_.intermediate = number("intermediate_size", defaults.intermediate, 1, 65536);
    sizes_.positions = number("max_position_embeddings", 512, 1, 1 << 16);
    sizes_.types = number("type_vocab_size", 0, 0, 65536);
    sizes_.vocabulary = number("vocab_size", defaults.vocabulary, 1, 1 << 24);
    sizes_.embedding = number("embedding_size", sizes_.hidden, 1, 65536);
    sizes_.epsilon = static_cast<float>(config_.real("layer_norm_eps", 1e-7));
    sizes_.activation = read_activation(config_, "hidden_act", "gelu");
    sizes_.tied = true;
    if (sizes_.hidden % sizes_.heads != 0) {
      refuse(config_.name(), ": hidden_size is ", sizes_.hidden, ", expected a multiple of num_attention_heads, ",
             sizes_.heads);
    }
    if (!(sizes_.epsilon >= 0) || !std::isfinite(sizes_.epsilon)) {
      config_.refuse_field("layer_norm_eps", "a number of at least 0");
    }
    if (!config_.boolean("tie_word_embeddings", true)) {
      config_.refuse_field("tie_word_embeddings", "true");
    }
    if (!read_pruned_heads(config_, sizes_.layers, sizes_.heads).empty()) {
      config_.refuse_field("pruned_heads", "none");
    }
    read_terms();
    relative_ = config_.boolean("relative_attention", false) && (c2p_ || p2c_);
    span_ = farthest_ = number("max_relative_positions", 0, 0, 1 << 16) != 0
                            ? number("max_relative_positions", 0, 0, 1 << 16)
                            : sizes_.positions;
  }

  uint32_t number(const char* field, uint64_t fallback, uint64_t least, uint64_t most) const {
    const Json* value = config_.find(field);
    if (least == 0 && value != nullptr && value->is_number_integer() && *value < 0) {
      return 0;  // as transformers says "none"
    }
    return static_cast<uint32_t>(config_.number(field, fallback, least, most));
  }

  // pos_att_type: a list, or names joined by "|".
  void read_terms() {
    std::vector<std::string> names;
    if (const Json* types = config_.find("pos_att_type"); types != nullptr && types->is_string()) {
      std::string name;
      for (const char letter : types->get<std::string>() + "|") {
        if (letter == '|') {
          names.push_back(name);
          name.clear();
        } else if (letter != ' ') {
          name += static_cast<char>(letter >= 'A' && letter <= 'Z' ? letter + 'a' - 'A' : letter);
        }
      }
    } else if (types != nullptr && types->is_array()) {
      for (const Json& type : *types) {
        names.push_back(type.is_string() ? type.get<std::string>() : "");
      }
    } else if (types != nullptr) {
      names.push_back("");
    }
    for (const std::string& name : names) {
      bool& term = name == "c2p" ? c2p_ : p2c_;
      if ((name != "c2p" && name != "p2c") || term) {
        config_.refuse_field("pos_att_type", "c2p and p2c, each at most once");
      }
      term = true;
    }
  }

  ModelIR build_family(const std::string& family) {
    const Head head = choose_head(request_, family, guess_head(),
                                  {Head::encoder, Head::masked_lm, Head::sequence, Head::token, Head::question});
    start(sizes_, head);
    ir_.type_count = std::max(sizes_.types, 2u);  // without a table too: tokenizers give types to pairs
    const bool positions = config_.boolean("position_biased_input", true);
    hidden_ = add_deberta_embeddings(positions);
    if (relative_) {
      read_relative_embeddings();
    }
    for (uint32_t i = 0; i < sizes_.layers; ++i) {
      const uint32_t in = hidden_;
      add_block(i);
      if (i == 0) {
        after_first_layer(in);
      }
    }
    add_head(head);
    std::vector<std::string> ignorable = {"cls.*",        "lm_predictions.*", "mask_predictions.*",
                                          "classifier.*", "qa_outputs.*",     "pooler.*"};
    if (!positions) {
      ignorable.push_back("embeddings.position_embeddings.*");
    }
    if (!relative_) {
      ignorable.insert(ignorable.end(), {"encoder.rel_embeddings.*", "encoder.LayerNorm.*"});
    }
    return finish(ignorable);
  }

  // The version's own: the matrices of a layer's attention and those of its positions.
  struct AttentionMatrices {
    uint32_t query, key, value;
    std::optional<Projection> position_key, position_query;  // with c2p, with p2c
  };
  virtual AttentionMatrices add_attention_matrices(const std::string& name) = 0;
  virtual void norm_relative_embeddings(RelativeEmbeddings&) {}
  virtual ~DebertaBuilder() = default;
  // `in` is what the first layer read; hidden_ is its result.
  virtual void after_first_layer(uint32_t) {}

  // ---- The encoder ----

  uint32_t add_deberta_embeddings(bool positions) {
    words_ = add_tensor("embeddings.word_embeddings.weight", {sizes_.vocabulary, sizes_.embedding});
    std::vector<EmbedTable> tables = {{fmt::EmbedIndex::token, words_}};
    if (positions) {
      tables.push_back({fmt::EmbedIndex::position,
                        add_tensor("embeddings.position_embeddings.weight", {sizes_.positions, sizes_.embedding})});
    }
    if (sizes_.types > 0) {
      tables.push_back({fmt::EmbedIndex::type,
                        add_tensor("embeddings.token_type_embeddings.weight", {sizes_.types, sizes_.embedding})});
      ir_.type_count = sizes_.types;
    }
    const auto norm = [&] { return add_norm("embeddings.LayerNorm", sizes_.hidden, sizes_.epsilon); };
    if (sizes_.embedding == sizes_.hidden) {
      return ir_.embed(std::move(tables), norm());
    }
    const uint32_t projection = add_plain_matrix("embeddings.embed_proj", sizes_.hidden, sizes_.embedding);
    return ir_.add_norm(ir_.linear(ir_.embed(std::move(tables), kNone), projection), kNone, norm());
  }

  Projection take_projection(const std::string& name, bool biased) {
    Projection projection = {weights_.take(name + ".weight", {sizes_.hidden, sizes_.hidden}), {}};
    if (biased) {
      projection.bias = weights_.take(name + ".bias", {sizes_.hidden}).read_all();
    }
    return projection;
  }

  uint32_t add_plain_matrix(const std::string& name, uint32_t rows, uint32_t columns) {
    return ir_.add(Matrix{name, add_tensor(name + ".weight", {rows, columns})});
  }

  void read_relative_embeddings() {
    RelativeEmbeddings embeddings = {2 * span_, sizes_.hidden, {}};
    embeddings.values = weights_.take("encoder.rel_embeddings.weight", {embeddings.rows, embeddings.width}).read_all();
    norm_relative_embeddings(embeddings);
    embeddings_ = std::make_shared<const RelativeEmbeddings>(std::move(embeddings));
    rows_ = std::make_shared<const std::vector<uint32_t>>(rows_of_distances(span_, buckets_, farthest_));
  }

  void add_block(uint32_t layer) {
    LayerNames names = bert_layer(layer);
    const uint32_t head_dim = sizes_.hidden / sizes_.heads;
    const std::string self = "encoder.layer." + std::to_string(layer) + ".attention.self.";
    AttentionMatrices matrices = add_attention_matrices(self);
    const uint32_t attended =
        ir_.attention(hidden_, matrices.query, matrices.key, matrices.value, sizes_.heads, head_dim);
    AttentionOp& op = ir_.last_attention();
    const double terms = 1 + (c2p_ ? 1 : 0) + (p2c_ ? 1 : 0);
    op.logit_scale = static_cast<float>(std::numbers::log2e / std::sqrt(terms * head_dim));
    if (relative_) {
      Disentangled disentangled = {kNone, kNone, rows_};
      const auto table = [&](Projection& projection, const char* name) {
        return static_cast<int32_t>(ir_.add(projected(embeddings_, std::move(projection), self + name)));
      };
      if (c2p_) {
        disentangled.content_to_position = table(*matrices.position_key, "content_to_position");
      }
      if (p2c_) {
        disentangled.position_to_content = table(*matrices.position_query, "position_to_content");
      }
      op.disentangled = std::move(disentangled);
    }
    const uint32_t projected_back = ir_.linear(attended, add_matrix(names.output, sizes_.hidden, sizes_.hidden));
    const uint32_t middle = ir_.add_norm(projected_back, static_cast<int32_t>(hidden_),
                                         add_norm(names.attention_norm, sizes_.hidden, sizes_.epsilon));
    const uint32_t up = ir_.linear(middle, add_matrix(names.up, sizes_.intermediate, sizes_.hidden), sizes_.activation);
    const uint32_t down = ir_.linear(up, add_matrix(names.down, sizes_.hidden, sizes_.intermediate));
    hidden_ = ir_.add_norm(down, static_cast<int32_t>(middle), add_norm(names.norm, sizes_.hidden, sizes_.epsilon));
  }

  // ---- Heads ----

  Head guess_head() const {
    if (weights_.has("classifier.weight")) {
      return weights_.has("pooler.dense.weight") ? Head::sequence : Head::token;
    }
    if (weights_.has("qa_outputs.weight")) {
      return Head::question;
    }
    return weights_.has("cls.predictions.transform.dense.weight") ? Head::masked_lm : Head::encoder;
  }

  void add_head(Head head) {
    switch (head) {
      case Head::masked_lm:
        return add_masked_lm();
      case Head::sequence:
        if (number("pooler_hidden_size", sizes_.hidden, 1, 65536) != sizes_.hidden) {
          config_.refuse_field("pooler_hidden_size", "hidden_size, " + std::to_string(sizes_.hidden));
        }
        return add_classifier(
            add_pooler(hidden_, "pooler.dense", sizes_.hidden, read_activation(config_, "pooler_hidden_act", "gelu")),
            "classifier", "logits", configured_scoring());
      case Head::token:
        return add_tagger(hidden_, "classifier");
      case Head::question:
        return add_question_answering(hidden_, "qa_outputs");
      default:
        return add_encoder_outputs(hidden_, kNone);
    }
  }

  void add_masked_lm() {
    const bool legacy = config_.boolean("legacy", true);
    if (!legacy && sizes_.embedding != sizes_.hidden) {
      config_.refuse_field("embedding_size", "hidden_size, as the head without `legacy` needs");
    }
    const std::string name = legacy ? "cls.predictions." : "lm_predictions.lm_head.";
    const std::string transform = legacy ? name + "transform." : name;
    add_output("logits", add_predictions(hidden_, sizes_, sizes_.embedding, transform + "dense", sizes_.activation,
                                         transform + "LayerNorm", name + "decoder", name + "bias"));
  }

  const JsonObject& config_;
  EncoderConfig sizes_;
  bool c2p_ = false, p2c_ = false, relative_ = false;
  uint32_t span_ = 0;      // half the rows of the relative embeddings
  uint32_t buckets_ = 0;   // 0: a row per distance
  uint32_t farthest_ = 0;  // max_relative_positions
  std::shared_ptr<const RelativeEmbeddings> embeddings_;
  std::shared_ptr<const std::vector<uint32_t>> rows_;
  uint32_t hidden_ = 0;  // the value that the encoder has reached
};

// ---- v1 ----

// Rows of the queries, keys or values (part 0, 1, 2), which lie head by head in one matrix.
class HeadParts final : public Source {
 public:
  HeadParts(Tensor all, uint32_t head_dim, uint32_t part) : all_(std::move(all)), head_dim_(head_dim), part_(part) {}

  void read(uint64_t first, uint64_t count, float* out) const override {
    for (uint64_t row = first; row < first + count; ++row, out += all_.columns()) {
      all_.source->read((row / head_dim_ * 3 + part_) * head_dim_ + row % head_dim_, 1, out);
    }
  }

 private:
  Tensor all_;
  uint64_t head_dim_, part_;
};

class DebertaV1Builder : public DebertaBuilder {
 public:
  explicit DebertaV1Builder(BuildRequest& request) : DebertaBuilder(request, "deberta") {
    EncoderConfig defaults;
    defaults.vocabulary = 50265;
    read_config(defaults);
    if (config_.boolean("talking_head", false)) {
      config_.refuse_field("talking_head", "false");
    }
  }

  ModelIR build() { return build_family("Deberta"); }

 private:
  AttentionMatrices add_attention_matrices(const std::string& self) override {
    const Tensor all = weights_.take(self + "in_proj.weight", {3 * sizes_.hidden, sizes_.hidden});
    const auto part = [&](uint32_t index, const char* name, const char* bias) {
      const uint32_t weight = ir_.add(Tensor{self + name + ".weight",
                                             {sizes_.hidden, sizes_.hidden},
                                             std::make_shared<HeadParts>(all, sizes_.hidden / sizes_.heads, index),
                                             Storage::f32});
      const int32_t added = bias != nullptr ? static_cast<int32_t>(add_tensor(self + bias, {sizes_.hidden})) : kNone;
      return ir_.add(Matrix{self + name, weight, added});
    };
    AttentionMatrices matrices = {
        part(0, "query", "q_bias"), part(1, "key", nullptr), part(2, "value", "v_bias"), {}, {}};
    if (relative_ && c2p_) {
      matrices.position_key = take_projection(self + "pos_proj", false);
    }
    if (relative_ && p2c_) {
      matrices.position_query = take_projection(self + "pos_q_proj", true);
    }
    return matrices;
  }
};

// ---- v2 and v3 ----

class DebertaV2Builder : public DebertaBuilder {
 public:
  explicit DebertaV2Builder(BuildRequest& request) : DebertaBuilder(request, "deberta-v2") {
    EncoderConfig defaults;
    defaults.hidden = 1536;
    defaults.layers = defaults.heads = 24;
    defaults.intermediate = 6144;
    defaults.vocabulary = 128100;
    read_config(defaults);
    shared_ = config_.boolean("share_att_key", false);
    buckets_ = number("position_buckets", 0, 0, 1 << 16);
    if (buckets_ == 1 || (buckets_ != 0 && farthest_ - 1 <= buckets_ / 2)) {
      config_.refuse_field("position_buckets", "at least 2, and less than twice max_relative_positions");
    }
    span_ = buckets_ != 0 ? buckets_ : span_;
    if (number("attention_head_size", sizes_.hidden / sizes_.heads, 1, 65536) != sizes_.hidden / sizes_.heads) {
      config_.refuse_field("attention_head_size", "hidden_size / num_attention_heads");
    }
    const std::string norm = config_.text("norm_rel_ebd", "none");
    norm_relative_ = norm == "layer_norm";
    if (!norm_relative_ && norm != "none") {
      config_.refuse_field("norm_rel_ebd", "\"layer_norm\" or \"none\"");
    }
    kernel_ = number("conv_kernel_size", 0, 0, 2 * kMostNeighbours + 1);
    if (kernel_ != 0 && kernel_ % 2 == 0) {
      config_.refuse_field("conv_kernel_size", "an odd number");
    }
  }

  ModelIR build() { return build_family("DebertaV2"); }

 private:
  static constexpr uint32_t kMostNeighbours = 64;

  AttentionMatrices add_attention_matrices(const std::string& self) override {
    const auto matrix = [&](const char* name) { return add_matrix(self + name, sizes_.hidden, sizes_.hidden); };
    AttentionMatrices matrices = {matrix("query_proj"), matrix("key_proj"), matrix("value_proj"), {}, {}};
    if (relative_ && c2p_) {
      matrices.position_key = shared_ ? projection_of(matrices.key) : take_projection(self + "pos_key_proj", true);
    }
    if (relative_ && p2c_) {
      matrices.position_query =
          shared_ ? projection_of(matrices.query) : take_projection(self + "pos_query_proj", true);
    }
    return matrices;
  }

  Projection projection_of(uint32_t matrix) const {
    return {ir_.weight_of(matrix), ir_.tensors[static_cast<size_t>(ir_.matrices[matrix].bias)].read_all()};
  }

  void norm_relative_embeddings(RelativeEmbeddings& embeddings) override {
    if (norm_relative_) {
      normalize_rows(embeddings, weights_.take("encoder.LayerNorm.weight", {sizes_.hidden}).read_all(),
                     weights_.take("encoder.LayerNorm.bias", {sizes_.hidden}).read_all(), sizes_.epsilon);
    }
  }

  // ConvLayer: norm(result of the first layer + activation(convolution of what that layer read)).
  void after_first_layer(uint32_t in) override {
    if (kernel_ == 0) {
      return;
    }
    const uint32_t side = kernel_ / 2;
    const uint32_t convolved = ir_.linear(ir_.neighbours(in, side, side), add_convolution("encoder.conv.conv"),
                                          read_activation(config_, "conv_act", "tanh"));
    hidden_ = ir_.add_norm(convolved, static_cast<int32_t>(hidden_),
                           add_norm("encoder.conv.LayerNorm", sizes_.hidden, sizes_.epsilon));
  }

  // The convolution as a matrix on neighbours side by side: [out, in / groups, place] to [out, place·in].
  uint32_t add_convolution(const std::string& name) {
    const uint32_t width = sizes_.hidden;
    const uint32_t groups = number("conv_groups", 1, 1, width);
    if (width % groups != 0) {
      config_.refuse_field("conv_groups", "a divisor of hidden_size");
    }
    const uint32_t inner = width / groups;
    std::vector<float> values(size_t{width} * inner * kernel_);
    weights_.take(name + ".weight", {width, inner, kernel_}).source->read(0, uint64_t{width} * inner, values.data());
    std::vector<float> rows(size_t{width} * kernel_ * width);
    for (uint32_t out = 0; out < width; ++out) {
      const uint32_t first = out / inner * inner;
      for (uint32_t in = 0; in < inner; ++in) {
        for (uint32_t place = 0; place < kernel_; ++place) {
          rows[(size_t{out} * kernel_ + place) * width + first + in] =
              values[(size_t{out} * inner + in) * kernel_ + place];
        }
      }
    }
    const uint32_t weight = ir_.add(Tensor{name + ".weight",
                                           {width, kernel_ * width},
                                           memory_source(std::move(rows), uint64_t{kernel_} * width),
                                           Storage::f32});
    return ir_.add(Matrix{name, weight, static_cast<int32_t>(add_tensor(name + ".bias", {width}))});
  }

  bool shared_ = false, norm_relative_ = false;
  uint32_t kernel_ = 0;  // of the convolution; 0: there is none
};

}  // namespace

ModelIR build_deberta(BuildRequest& request) {
  return DebertaV1Builder(request).build();
}

ModelIR build_deberta_v2(BuildRequest& request) {
  return DebertaV2Builder(request).build();
}

}  // namespace kinglet::convert
