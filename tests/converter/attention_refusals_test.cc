// What the families with relative attention, and XLM, refuse: each field of config.json by name. And what the passes do
// with such attention.
#include <doctest/doctest.h>

#include "families/family.h"
#include "fixtures.h"
#include "passes/passes.h"
#include "reference_relative.h"
#include "support/temporary.h"

namespace kinglet::test {
namespace {

struct Refused {
  const char* field;
  Json value;
  const char* part;  // of the message
};

void check_refused(const RandomModel& good, const std::vector<Refused>& fields) {
  {
    const TemporaryFolder folder;
    good.write(folder.path());
    CHECK(convert_error(folder.path()) == "");
  }
  for (const Refused& refused : fields) {
    CAPTURE(refused.field);
    const TemporaryFolder folder;
    RandomModel model = good;
    model.config[refused.field] = refused.value;
    model.write(folder.path());
    const std::string message = convert_error(folder.path());
    CAPTURE(message);
    CHECK(message.find(refused.field) != std::string::npos);
    CHECK(message.find(refused.part) != std::string::npos);
  }
}

constexpr RelativeShape kSmall = {16, 2, 1, 20, 30, 40};

TEST_CASE("MPNet refuses what it does not build") {
  check_refused(random_mpnet(kSmall, 1), {{"relative_attention_num_buckets", 16, "32"},
                                          {"max_position_embeddings", 2, "more than 2"},
                                          {"is_decoder", true, "encoders"}});
}

TEST_CASE("ModernBERT refuses what it does not build") {
  check_refused(random_modernbert(kSmall, false, 8, 1),
                {{"rope_scaling", {{"rope_type", "yarn"}}, "default"},
                 {"rope_parameters", {{"full_attention", {{"rope_type", "linear"}}}}, "default"},
                 {"rope_parameters", {{"full_attention", {{"factor", 2.0}}}}, "factor"},
                 {"layer_types", {"full_attention", "full_attention"}, "one for each layer"},
                 {"layer_types", {"linear_attention"}, "sliding_attention"},
                 {"global_rope_theta", 0.0, "above 0"},
                 {"local_attention", -2, "local_attention"},
                 {"num_attention_heads", 16, "even"},
                 {"pruned_heads", {{"0", {1}}}, "none"},
                 {"norm_eps", -1.0, "at least 0"},
                 {"max_position_embeddings", 65537, "65536"},
                 {"hidden_activation", "sine", "one of"}});
}

TEST_CASE("a ModernBERT classifier refuses an unknown pooling") {
  RandomModel model = random_modernbert(kSmall, false, 8, 1);
  model.config["architectures"] = {"ModernBertForSequenceClassification"};
  model.tensors["head.dense.weight"] = {{16, 16}, std::vector<float>(256)};
  model.tensors["head.norm.weight"] = {{16}, std::vector<float>(16)};
  model.tensors["classifier.weight"] = {{2, 16}, std::vector<float>(32)};
  model.tensors["classifier.bias"] = {{2}, std::vector<float>(2)};
  check_refused(model, {{"classifier_pooling", "max", "\"mean\""}, {"classifier_activation", "sine", "one of"}});
}

TEST_CASE("DeBERTa refuses what it does not build") {
  DebertaShape shape;
  static_cast<RelativeShape&>(shape) = kSmall;
  shape.embedding = 16;
  const std::vector<Refused> both = {
      {"pos_att_type", {"p2p"}, "c2p and p2c"}, {"pos_att_type", "c2p|c2p", "at most once"},
      {"pos_att_type", 3, "c2p and p2c"},       {"tie_word_embeddings", false, "true"},
      {"pruned_heads", {{"0", {1}}}, "none"},   {"num_attention_heads", 3, "multiple"},
      {"layer_norm_eps", -1.0, "at least 0"}};
  check_refused(random_deberta_v2(shape, 1), both);
  check_refused(random_deberta_v2(shape, 1), {{"position_buckets", 1, "at least 2"},
                                              {"max_relative_positions", 9, "less than twice"},
                                              {"attention_head_size", 4, "hidden_size / num_attention_heads"},
                                              {"norm_rel_ebd", "batch_norm", "layer_norm"},
                                              {"conv_kernel_size", 4, "odd"},
                                              {"conv_kernel_size", 131, "129"}});
  check_refused(random_deberta_v1(shape, 1), both);
  check_refused(random_deberta_v1(shape, 1), {{"talking_head", true, "false"}});
  shape.kernel = 3;
  check_refused(random_deberta_v2(shape, 1), {{"conv_groups", 5, "divisor"}, {"conv_act", "sine", "one of"}});
}

TEST_CASE("DeBERTa takes pos_att_type as one string") {
  DebertaShape shape;
  static_cast<RelativeShape&>(shape) = kSmall;
  shape.embedding = 16;
  RandomModel model = random_deberta_v2(shape, 1);
  model.config["pos_att_type"] = "P2C|c2p";
  const TemporaryFolder folder;
  model.write(folder.path());
  CHECK(convert_error(folder.path()) == "");
}

RandomModel small_xlm() {
  RandomModel model;
  model.config = {{"model_type", "xlm"},
                  {"architectures", {"XLMForSequenceClassification"}},
                  {"emb_dim", 16},
                  {"n_layers", 0},
                  {"n_heads", 2},
                  {"n_words", 30},
                  {"max_position_embeddings", 40},
                  {"n_langs", 2}};
  const auto add = [&](const char* name, std::vector<uint32_t> shape, size_t count) {
    model.tensors[name] = {std::move(shape), std::vector<float>(count, 0.5f)};
  };
  add("transformer.embeddings.weight", {30, 16}, 480);
  add("transformer.position_embeddings.weight", {40, 16}, 640);
  add("transformer.lang_embeddings.weight", {2, 16}, 32);
  add("transformer.layer_norm_emb.weight", {16}, 16);
  add("transformer.layer_norm_emb.bias", {16}, 16);
  add("sequence_summary.summary.weight", {2, 16}, 32);
  add("sequence_summary.summary.bias", {2}, 2);
  return model;
}

TEST_CASE("XLM refuses what it does not build") {
  check_refused(small_xlm(), {{"causal", true, "false"},
                              {"is_encoder", false, "true"},
                              {"summary_type", "last", "\"mean\""},
                              {"summary_activation", "tanh", "none"},
                              {"summary_use_proj", false, "true"},
                              {"summary_proj_to_labels", false, "true"},
                              {"n_heads", 3, "multiple"},
                              {"layer_norm_eps", -1.0, "from 0"},
                              {"architectures", {"XLMForQuestionAnswering"}, "XLMForQuestionAnsweringSimple"}});
}

TEST_CASE("XLM's Moses tokenizer is refused in one line") {
  for (const char* name : {"vocab.json", "merges.txt"}) {
    const TemporaryFolder folder;
    small_xlm().write(folder.path());
    write_file(folder / name, "{}");
    const std::string message = convert_error(folder.path());
    CAPTURE(message);
    CHECK(message.find("Moses") != std::string::npos);
    CHECK(message.find(name) != std::string::npos);
  }
}

// ---- Passes ----

convert::ModelIR built(const RandomModel& model) {
  const TemporaryFolder folder;
  model.write(folder.path());
  return convert::build_model({convert::JsonObject::load(folder / "config.json"),
                               convert::open_checkpoint(folder.path(), {}),
                               "test",
                               {},
                               {},
                               false,
                               {}});
}

const convert::AttentionOp& first_attention(const convert::ModelIR& model) {
  for (const convert::Op& op : model.program) {
    if (const auto* attention = std::get_if<convert::AttentionOp>(&op)) {
      return *attention;
    }
  }
  throw std::runtime_error("no attention");
}

TEST_CASE("folding: a key bias goes where softmax does not see it, and stays where positions turn it") {
  convert::ModelIR mpnet = built(random_mpnet(kSmall, 1)), modernbert = built(random_modernbert(kSmall, true, 8, 1));
  fold_attention(mpnet);
  fold_attention(modernbert);
  CHECK(mpnet.matrices[first_attention(mpnet).key].bias == convert::kNone);
  CHECK(modernbert.matrices[first_attention(modernbert).key].bias != convert::kNone);
  CHECK(modernbert.matrices[first_attention(modernbert).value].bias == convert::kNone);
}

TEST_CASE("disentangled attention is not folded and stays fp32, and its tables are stored by row") {
  DebertaShape shape;
  static_cast<RelativeShape&>(shape) = kSmall;
  shape.embedding = 16;
  convert::ModelIR model = built(random_deberta_v2(shape, 1));
  fold_attention(model);
  quantize(model, {});
  const convert::AttentionOp& op = first_attention(model);
  CHECK(op.head_dim == 8);
  CHECK(op.logit_scale != 1);
  CHECK(!op.quantized);
  CHECK(model.matrices[op.key].bias != convert::kNone);
  for (const int32_t table : {op.disentangled->content_to_position, op.disentangled->position_to_content}) {
    CHECK(model.tensors[static_cast<size_t>(table)].storage == convert::Storage::s8_rows);
  }
}

}  // namespace
}  // namespace kinglet::test
