// One test per way in which limits, outputs, task, labels, prompts, samples and provenance can be wrong.
#include <cmath>
#include <limits>

#include "format/example.h"

namespace {
using namespace kinglet;
using namespace kinglet::test;

SampleSpec& sample(ModelSpec& m) { return m.samples.at(0); }

// A tagger whose logits are the hidden states.
void per_token_logits(ModelSpec& m) {
  m.task = fmt::Task::tag;
  m.logits = -1;
  m.outputs = {{"logits", 6, -1}};
  m.samples.clear();
}
}  // namespace

// ---- Limits ----
REFUSED("no architecture", "model: architecture is empty", m.architecture = "")
REFUSED("an architecture with a line break", "architecture has the control character 0x0a", m.architecture = "be\nrt")
UNSUPPORTED("an unknown precision", "precision is \"int4\"; this version knows int8 and fp32", m.precision = "int4")
REFUSED("a max_length of 0", "max_length is 0; expected 1 to 65536", m.max_length = 0)
REFUSED("a max_length beyond the limit", "max_length is 65537", m.max_length = 65537)
REFUSED("an empty vocabulary", "vocabulary is 0; expected 1 to 16777216", m.vocabulary = 0)
REFUSED("a vocabulary beyond the limit", "vocabulary is 16777217", m.vocabulary = 16777217)
REFUSED("no types", "type_count is 0; expected 1 to 65536", m.type_count = 0)
REFUSED("too many types", "type_count is 65537", m.type_count = 65537)

// ---- Outputs ----
REFUSED("too many outputs", "the number of outputs is 257", m.outputs.resize(257))
REFUSED("an output without a name", "output 1: name is empty", m.outputs[1].name = "")
REFUSED("an output name with a zero byte", "name has the control character 0x00", m.outputs[1].name = {'a', '\0', 'b'})
REFUSED("two outputs of one name", "output 1 (last_hidden_state): output 0 has the same name",
        m.outputs[1].name = "last_hidden_state")
REFUSED("an output of no value", "output 1 (logits): value is 10, but the model has 10 values", m.outputs[1].value = 10)
REFUSED("a column beyond the width", "column is 2; expected -1, or 0 to 1", m.outputs[1].column = 2)
REFUSED("a negative column", "column is -2; expected -1, or 0 to 1", m.outputs[1].column = -2)

// ---- Task ----
UNSUPPORTED("an unknown task", "task is 6; this version knows 0 to 5", m.task = fmt::Task(6))
UNSUPPORTED("an unknown scoring", "scoring is 3; this version knows 0 to 2", m.scoring = fmt::Scoring(3))
REFUSED("an embedding that is no value", "embedding is 10, but the model has 10 values", m.embedding = 10)
REFUSED("a negative embedding", "embedding is -2, but", m.embedding = -2)
REFUSED("an embedding per token", "embedding is value 6 with extent tokens; expected sequences", m.embedding = 6)
REFUSED("logits that are no value", "logits is 10, but", m.logits = 10)
REFUSED("logits per token", "logits is value 6 with extent tokens; expected sequences", m.logits = 6)
REFUSED("embed without embedding", "task is embed, but embedding is -1", m.task = fmt::Task::embed)
REFUSED("classify without logits", "task is classify, but logits is -1", m.logits = -1)
REFUSED("labels without logits", "there are 2 labels, but logits is -1", m.task = fmt::Task::none, m.logits = -1)
REFUSED("more labels than logits", "there are 3 labels; logits is value 9 with width 2", m.labels.push_back("more"))
REFUSED("fewer labels than logits", "there are 1 labels", m.labels.pop_back())
REFUSED("too many labels", "the number of labels is 1048577", m.labels.resize(1048577))
REFUSED("a label that is not UTF-8", "label 1: text is not valid UTF-8 at its byte 0", m.labels[1] = "\xc0\x80")
REFUSED("a label with a surrogate", "label 1: text is not valid UTF-8 at its byte 2", m.labels[1] = "ab\xed\xa0\x80")
REFUSED("a label cut inside a character", "label 1: text is not valid UTF-8 at its byte 1", m.labels[1] = "a\xe2\x82")
REFUSED("a label beyond Unicode", "label 1: text is not valid UTF-8 at its byte 0", m.labels[1] = "\xf4\x90\x80\x80")
REFUSED("a label that is too long", "label 1: text has 257 bytes", m.labels[1].assign(257, 'x'))

// ---- Tasks on tokens ----
REFUSED("tag without logits per token", "task is tag, but there is no output logits with one row per token",
        m.task = fmt::Task::tag)
REFUSED("fill_mask without logits per token", "no output logits or prediction_logits with",
        m.task = fmt::Task::fill_mask)
REFUSED("answer without start_logits", "task is answer, but there is no output start_logits",
        m.task = fmt::Task::answer)
REFUSED("answer without end_logits", "task is answer, but there is no output end_logits", m.task = fmt::Task::answer;
        m.outputs[0].name = "start_logits")
REFUSED("start_logits of several numbers", "have 36 and 1 numbers per token; expected one of each",
        m.task = fmt::Task::answer; m.outputs[0].name = "start_logits"; m.outputs.push_back({"end_logits", 6, 1}))
REFUSED("a tagger with fewer labels than numbers", "there are 2 labels; output logits has 36 numbers per token",
        per_token_logits(m))
REFUSED("a masked language model that is not as wide as its vocabulary",
        "output logits has 36 numbers per token; expected 40 (vocabulary)", per_token_logits(m);
        m.task = fmt::Task::fill_mask;
        m.labels.clear())
REFUSED("a special token beyond the vocabulary", "special_tokens: mask is 40; expected -1, or 0 to 39",
        m.special_tokens = SpecialTokensSpec{0, 40, 1, false})
REFUSED("a negative special token", "special_tokens: cls is -2; expected -1, or 0 to 39",
        m.special_tokens = SpecialTokensSpec{-2, 0, 0, true})
UNSUPPORTED("an unknown rank_scoring", "rank_scoring is 3; this version knows 0 to 2",
            m.rank_scoring = fmt::Scoring(3))

TEST_CASE("a tagger with as many labels as numbers opens, and says so") {
  ModelSpec m = example();
  per_token_logits(m);
  m.labels.assign(36, "x");
  m.special_tokens = SpecialTokensSpec{-1, 39, 0, true};
  std::string message;
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
  const Bytes file = build_model(m);
  kinglet_model* model = nullptr;
  REQUIRE(kinglet_model_open_memory(file.data(), file.size(), &model) == KINGLET_OK);
  kinglet_model_info info = {};
  info.struct_size = sizeof(info);
  CHECK(kinglet_model_get_info(model, &info) == KINGLET_OK);
  CHECK(info.label_count == 36);
  kinglet_model_close(model);
}

// ---- Prompts ----
REFUSED("too many prompts", "the number of prompts is 257", m.prompts.resize(257))
REFUSED("a prompt without a name", "prompt 1: name is empty", m.prompts[1].name = "")
REFUSED("two prompts of one name", "prompt 1 (query): prompt 0 has the same name", m.prompts[1].name = "query")
REFUSED("a prompt that is not UTF-8", "prompt 1 (passage): text is not valid UTF-8", m.prompts[1].text = "\x80")
REFUSED("a prompt that is too long", "text has 65537 bytes; expected at most 65536",
        m.prompts[1].text.assign(65537, 'x'))
REFUSED("a default prompt that does not exist", "default_prompt is 2, but the model has 2 prompts",
        m.default_prompt = 2)
REFUSED("a negative default prompt", "default_prompt is -2, but", m.default_prompt = -2)

// ---- Samples ----
REFUSED("too many samples", "the number of samples is 65", m.samples.resize(65, sample(m)))
REFUSED("a sample text that is not UTF-8", "sample 0: text is not valid UTF-8", sample(m).text = "\xff")
REFUSED("a sample without ids", "sample 0: has 0 ids; expected 1 to 16 (max_length)", sample(m).ids.clear())
REFUSED("a sample that is too long", "sample 0: has 17 ids", sample(m).ids.assign(17, 1))
REFUSED("fewer type ids than ids", "has 2 type_ids; expected as many as ids, 3", sample(m).type_ids.pop_back())
REFUSED("a negative id", "ids[1] is -1; expected 0 to 39 (vocabulary)", sample(m).ids[1] = -1)
REFUSED("an id beyond the vocabulary", "ids[2] is 40; expected 0 to 39", sample(m).ids[2] = 40)
REFUSED("a negative type id", "type_ids[0] is -1; expected 0 to 1 (type_count)", sample(m).type_ids[0] = -1)
REFUSED("a type id beyond the types", "type_ids[2] is 2; expected 0 to 1", sample(m).type_ids[2] = 2)
REFUSED("a sample of no output", "output is \"scores\"; expected the name of an output", sample(m).output = "scores")
REFUSED("a sample output that cannot be printed", "output has the control character 0x1b", sample(m).output = "\x1b")
REFUSED("a sample without values", "has 0 values; expected 1 to 2", sample(m).values.clear())
REFUSED("a sample with too many values", "has 3 values; expected 1 to 2", sample(m).values.push_back(0))
REFUSED("too many values for one column", "has 4 values; expected 1 to 3", m.outputs[0].column = 1;
        sample(m).output = "last_hidden_state"; sample(m).values.assign(4, 0))
REFUSED("a sample value that is not finite", "values[1] is not finite", sample(m).values[1] = std::nanf(""))
REFUSED("a negative tolerance", "tolerance is -1", sample(m).tolerance = -1)
REFUSED("a tolerance that is not a number", "tolerance is nan", sample(m).tolerance = std::nanf(""))
REFUSED("an infinite tolerance", "tolerance is inf", sample(m).tolerance = std::numeric_limits<float>::infinity())

// ---- Provenance ----
REFUSED("a source that is not UTF-8", "provenance: source is not valid UTF-8", m.provenance->source = "\xfe")
REFUSED("a converter with a control character", "provenance: converter has the control",
        m.provenance->converter = "\x07")
REFUSED("a pass with a control character", "provenance pass 0: text has the control", m.provenance->passes[0] = "\x7f")
REFUSED("too many passes", "has 257 passes and 1 accuracies", m.provenance->passes.resize(257))
REFUSED("too many accuracies", "has 1 passes and 257 accuracies", m.provenance->accuracy.resize(257))
REFUSED("a data set name that is not UTF-8", "provenance accuracy 0: data is not",
        m.provenance->accuracy[0].data = "\xff")
REFUSED("a metric that is not UTF-8", "accuracy 0: metric is not valid", m.provenance->accuracy[0].metric = "\xff")
REFUSED("an accuracy that is not finite", "accuracy 0: value is not finite",
        m.provenance->accuracy[0].value = std::nan(""))

// ---- What must not be refused ----
TEST_CASE("labels in any script, and none at all, open") {
  ModelSpec m = example();
  std::string message;
  m.labels = {"긍정 \xf0\x9f\x98\x80", ""};
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
  m.labels.clear();
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
}

TEST_CASE("a sample may give the first rows of a value per token") {
  ModelSpec m = example();
  sample(m).output = "last_hidden_state";
  sample(m).values.assign(3 * 36, 0.5f);
  std::string message;
  CHECK_MESSAGE(open_status(build_model(m), &message) == KINGLET_OK, message);
}
