// The semantic pass over what the program's numbers mean: outputs, task, labels, prompts, samples, provenance.
#include <algorithm>
#include <cinttypes>
#include <cmath>
#include <utility>

#include "model/task_outputs.h"
#include "model/validate_parts.h"

namespace kinglet::validation {
namespace {

bool equal(const flatbuffers::String& a, const flatbuffers::String& b) { return a.string_view() == b.string_view(); }

kinglet_status check_outputs(const fmt::Model& model, Error& error) {
  const auto& outputs = *model.outputs();
  for (uint32_t i = 0; i < outputs.size(); ++i) {
    KINGLET_TRY(check_name(Where("output %u", i), "name", *outputs[i]->name(), error));
    const Where where("output %u (%.160s)", i, outputs[i]->name()->c_str());
    for (uint32_t j = 0; j < i; ++j) {
      if (equal(*outputs[i]->name(), *outputs[j]->name())) {
        return refuse(error, where, "output %u has the same name", j);
      }
    }
    KINGLET_TRY(check_id(where, "value", outputs[i]->value(), model.values()->size(), "values", error));
    const uint32_t width = model.values()->Get(outputs[i]->value())->width();
    if (const int32_t column = outputs[i]->column(); column < -1 || column >= static_cast<int64_t>(width)) {
      return refuse(error, where, "column is %d; expected -1, or 0 to %u", column, width - 1);
    }
  }
  return KINGLET_OK;
}

// A value with one row per sequence.
kinglet_status check_result(const fmt::Model& model, const char* field, int32_t id, Error& error) {
  if (id == -1) {
    return KINGLET_OK;
  }
  const Where where("model");
  KINGLET_TRY(check_id(where, field, id, model.values()->size(), "values", error));
  if (model.values()->Get(static_cast<uint32_t>(id))->extent() != fmt::Extent::sequences) {
    return refuse(error, where, "%s is value %d with extent tokens; expected sequences", field, id);
  }
  return KINGLET_OK;
}

// tag, answer and fill_mask read outputs of one row per token.
kinglet_status check_task_outputs(const fmt::Model& model, Error& error) {
  const Where where("model");
  const TaskOutputs found = find_task_outputs(model);
  if (found.wanted == 0) {
    return KINGLET_OK;
  }
  const char* name = fmt::EnumNameTask(model.task());
  for (uint32_t i = 0; i < found.wanted; ++i) {
    if (found.outputs[i] == nullptr) {
      return refuse(error, where, "task is %s, but there is no output %s with one row per token", name,
                    model.task() == fmt::Task::answer ? i == 0 ? "start_logits" : "end_logits"
                    : model.task() == fmt::Task::tag  ? "logits"
                                                      : "logits or prediction_logits");
    }
  }
  const uint32_t width = width_of(model, *found.outputs[0]);
  if (model.task() == fmt::Task::tag && count_of(model.labels()) != 0 && count_of(model.labels()) != width) {
    return refuse(error, where, "there are %u labels; output logits has %u numbers per token",
                  count_of(model.labels()), width);
  }
  if (model.task() == fmt::Task::fill_mask && width != model.vocabulary()) {
    return refuse(error, where, "output %s has %u numbers per token; expected %u (vocabulary)",
                  found.outputs[0]->name()->c_str(), width, model.vocabulary());
  }
  if (model.task() == fmt::Task::answer && (width != 1 || width_of(model, *found.outputs[1]) != 1)) {
    return refuse(error, where, "start_logits and end_logits have %u and %u numbers per token; expected one of each",
                  width, width_of(model, *found.outputs[1]));
  }
  return KINGLET_OK;
}

kinglet_status check_special_tokens(const fmt::Model& model, Error& error) {
  KINGLET_TRY(check_enum(Where("model"), "rank_scoring", model.rank_scoring(), error));
  if (model.special_tokens() == nullptr) {
    return KINGLET_OK;
  }
  const fmt::SpecialTokens& tokens = *model.special_tokens();
  for (const auto& [field, id] : {std::pair{"cls", tokens.cls()}, std::pair{"mask", tokens.mask()},
                                  std::pair{"unknown", tokens.unknown()}}) {
    if (id < -1 || (id >= 0 && static_cast<uint32_t>(id) >= model.vocabulary())) {
      return refuse(error, Where("special_tokens"), "%s is %d; expected -1, or 0 to %u (vocabulary)", field, id,
                    model.vocabulary() - 1);
    }
  }
  return KINGLET_OK;
}

kinglet_status check_task(const fmt::Model& model, Error& error) {
  const Where where("model");
  KINGLET_TRY(check_enum(where, "task", model.task(), error));
  KINGLET_TRY(check_enum(where, "scoring", model.scoring(), error));
  KINGLET_TRY(check_result(model, "embedding", model.embedding(), error));
  KINGLET_TRY(check_result(model, "logits", model.logits(), error));
  if (model.task() == fmt::Task::embed && model.embedding() == -1) {
    return refuse(error, where, "task is embed, but embedding is -1; expected a value");
  }
  if (model.task() == fmt::Task::classify && model.logits() == -1) {
    return refuse(error, where, "task is classify, but logits is -1; expected a value");
  }
  const uint32_t labels = count_of(model.labels());
  for (uint32_t i = 0; i < labels; ++i) {
    KINGLET_TRY(check_string(Where("label %u", i), "text", *model.labels()->Get(i), kMaxName, false, error));
  }
  // A tagger's labels go with its output of one row per token, and not with logits.
  const bool tags = model.task() == fmt::Task::tag;
  if (labels != 0 && model.logits() == -1 && !tags) {
    return refuse(error, where, "there are %u labels, but logits is -1; expected a value", labels);
  }
  if (labels != 0 && model.logits() != -1) {
    const uint32_t width = model.values()->Get(static_cast<uint32_t>(model.logits()))->width();
    if (labels != width) {
      return refuse(error, where, "there are %u labels; logits is value %d with width %u", labels, model.logits(),
                    width);
    }
  }
  return KINGLET_OK;
}

kinglet_status check_prompts(const fmt::Model& model, Error& error) {
  const uint32_t count = count_of(model.prompts());
  for (uint32_t i = 0; i < count; ++i) {
    const fmt::Prompt& prompt = *model.prompts()->Get(i);
    KINGLET_TRY(check_name(Where("prompt %u", i), "name", *prompt.name(), error));
    const Where where("prompt %u (%.160s)", i, prompt.name()->c_str());
    KINGLET_TRY(check_string(where, "text", *prompt.text(), kMaxText, true, error));
    for (uint32_t j = 0; j < i; ++j) {
      if (equal(*prompt.name(), *model.prompts()->Get(j)->name())) {
        return refuse(error, where, "prompt %u has the same name", j);
      }
    }
  }
  return model.default_prompt() == -1
             ? KINGLET_OK
             : check_id(Where("model"), "default_prompt", model.default_prompt(), count, "prompts", error);
}

kinglet_status check_sample_ids(const fmt::Model& model, const fmt::Sample& sample, const Where& where, Error& error) {
  const auto& ids = *sample.ids();
  const auto& types = *sample.type_ids();
  if (ids.size() < 1 || ids.size() > model.max_length()) {
    return refuse(error, where, "has %u ids; expected 1 to %u (max_length)", ids.size(), model.max_length());
  }
  if (types.size() != ids.size()) {
    return refuse(error, where, "has %u type_ids; expected as many as ids, %u", types.size(), ids.size());
  }
  for (uint32_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || static_cast<uint32_t>(ids[i]) >= model.vocabulary()) {
      return refuse(error, where, "ids[%u] is %d; expected 0 to %u (vocabulary)", i, ids[i], model.vocabulary() - 1);
    }
    if (types[i] < 0 || static_cast<uint32_t>(types[i]) >= model.type_count()) {
      return refuse(error, where, "type_ids[%u] is %d; expected 0 to %u (type_count)", i, types[i],
                    model.type_count() - 1);
    }
  }
  return KINGLET_OK;
}

kinglet_status check_sample(const fmt::Model& model, const fmt::Sample& sample, const Where& where, Error& error) {
  if (sample.text() != nullptr) {
    KINGLET_TRY(check_string(where, "text", *sample.text(), kMaxText, true, error));
  }
  KINGLET_TRY(check_sample_ids(model, sample, where, error));
  const fmt::Output* output = nullptr;
  for (const fmt::Output* candidate : *model.outputs()) {
    if (equal(*candidate->name(), *sample.output())) {
      output = candidate;
    }
  }
  if (output == nullptr) {
    KINGLET_TRY(check_name(where, "output", *sample.output(), error));
    return refuse(error, where, "output is \"%.100s\"; expected the name of an output", sample.output()->c_str());
  }
  const fmt::Value& value = *model.values()->Get(output->value());
  const uint64_t rows = value.extent() == fmt::Extent::tokens ? sample.ids()->size() : 1;
  const uint64_t most = std::min<uint64_t>(rows * (output->column() >= 0 ? 1 : value.width()), kMaxSampleValues);
  if (sample.values()->size() < 1 || sample.values()->size() > most) {
    return refuse(error, where, "has %u values; expected 1 to %" PRIu64, sample.values()->size(), most);
  }
  for (uint32_t i = 0; i < sample.values()->size(); ++i) {
    if (!std::isfinite(sample.values()->Get(i))) {
      return refuse(error, where, "values[%u] is not finite", i);
    }
  }
  if (!std::isfinite(sample.tolerance()) || sample.tolerance() < 0) {
    return refuse(error, where, "tolerance is %g; expected a finite number of at least 0",
                  static_cast<double>(sample.tolerance()));
  }
  return KINGLET_OK;
}

kinglet_status check_provenance(const fmt::Provenance& provenance, Error& error) {
  const auto check = [&](const Where& where, const char* field, const flatbuffers::String* string) {
    return string == nullptr ? KINGLET_OK : check_string(where, field, *string, kMaxText, false, error);
  };
  const Where where("provenance");
  KINGLET_TRY(check(where, "source", provenance.source()));
  KINGLET_TRY(check(where, "converter", provenance.converter()));
  const uint32_t passes = count_of(provenance.passes());
  const uint32_t accuracies = count_of(provenance.accuracy());
  if (passes > kMaxNames || accuracies > kMaxNames) {
    return refuse(error, where, "has %u passes and %u accuracies; expected at most %u of each", passes, accuracies,
                  kMaxNames);
  }
  for (uint32_t i = 0; i < passes; ++i) {
    KINGLET_TRY(check(Where("provenance pass %u", i), "text", provenance.passes()->Get(i)));
  }
  for (uint32_t i = 0; i < accuracies; ++i) {
    const fmt::Accuracy& accuracy = *provenance.accuracy()->Get(i);
    const Where entry("provenance accuracy %u", i);
    KINGLET_TRY(check(entry, "data", accuracy.data()));
    KINGLET_TRY(check(entry, "metric", accuracy.metric()));
    if (!std::isfinite(accuracy.value())) {
      return refuse(error, entry, "value is not finite");
    }
  }
  return KINGLET_OK;
}

}  // namespace

kinglet_status check_meaning(const fmt::Model& model, Error& error) {
  KINGLET_TRY(check_outputs(model, error));
  KINGLET_TRY(check_task(model, error));
  KINGLET_TRY(check_task_outputs(model, error));
  KINGLET_TRY(check_special_tokens(model, error));
  KINGLET_TRY(check_prompts(model, error));
  for (uint32_t i = 0; i < count_of(model.samples()); ++i) {
    KINGLET_TRY(check_sample(model, *model.samples()->Get(i), Where("sample %u", i), error));
  }
  return model.provenance() == nullptr ? KINGLET_OK : check_provenance(*model.provenance(), error);
}

}  // namespace kinglet::validation
