// One list of fields serves reading, writing and comparing.
#include "train/settings.h"

#include <cmath>
#include <set>
#include <type_traits>

#include "base/text.h"

namespace kinglet::train {

using convert::Json;
using convert::refuse;

namespace {

// f(name, field, whether the result depends on it)
template <typename S, typename F>
void for_fields(S& s, const F& f) {
  f("source", s.source, true);
  f("teacher", s.teacher, true);
  f("student", s.student, true);
  f("data", s.data, true);
  f("texts", s.texts, true);
  f("dev", s.dev, true);
  f("output", s.output, true);
  f("task", s.task, true);
  f("metric", s.metric, true);
  f("labels", s.labels, true);
  f("train", s.train, true);
  f("layer_decay", s.layer_decay, true);
  f("epochs", s.epochs, true);
  f("rate", s.rate, true);
  f("head_rate", s.head_rate, true);
  f("weight_decay", s.weight_decay, true);
  f("warmup", s.warmup, true);
  f("clip", s.clip, true);
  f("dropout", s.dropout, true);
  f("batch", s.batch, true);
  f("max_length", s.max_length, true);
  f("patience", s.patience, true);
  f("evaluations", s.evaluations, true);
  f("max_steps", s.max_steps, true);
  f("seed", s.seed, true);
  f("init", s.init, true);
  f("temperature", s.temperature, true);
  f("logit_loss", s.logit_loss, true);
  f("label_loss", s.label_loss, true);
  f("hidden_loss", s.hidden_loss, true);
  f("attention_loss", s.attention_loss, true);
  f("augment", s.augment, true);
  f("replace", s.replace, true);
  f("cache_megabytes", s.cache_megabytes, true);
  f("teacher_precision", s.teacher_precision, true);
  f("threads", s.threads, true);
  f("checkpoint_minutes", s.checkpoint_minutes, false);
  f("checkpoint_steps", s.checkpoint_steps, false);
  f("fresh", s.fresh, false);
  f("device", s.device, true);
  f("report", s.report, false);
  f("command", s.command, false);
}

void check_range(const char* name, double value, double least, double most) {
  if (!(value >= least && value <= most)) {
    refuse("the setting ", name, " is ", value, ", expected ", least, " to ", most);
  }
}

}  // namespace

Json to_json(const Settings& settings) {
  Json json = Json::object();
  for_fields(settings, [&](const char* name, const auto& field, bool) {
    if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::optional<double>>) {
      json[name] = field ? Json(*field) : Json(nullptr);
    } else {
      json[name] = field;
    }
  });
  return json;
}

Settings settings_from_json(const convert::JsonObject& object) {
  Settings settings;
  std::set<std::string> known;
  for_fields(settings, [&](const char* name, auto& field, bool) {
    known.insert(name);
    if (!object.json().contains(name)) {
      refuse(object.name(), ": has no field ", convert::quote(name));
    }
    const Json& value = object.json()[name];
    try {
      if constexpr (std::is_same_v<std::decay_t<decltype(field)>, std::optional<double>>) {
        field = value.is_null() ? std::nullopt : std::optional(value.get<double>());
      } else {
        value.get_to(field);
      }
    } catch (const Json::exception&) {
      object.refuse_field(name, "a value of another type");
    }
  });
  for (const auto& [key, value] : object.json().items()) {
    if (known.count(key) == 0) {
      refuse(object.name(), ": has the unknown field ", convert::quote(key));
    }
  }
  return settings;
}

void check_settings(const Settings& s) {
  const auto one_of = [](const char* name, const std::string& value, const std::vector<std::string>& list) {
    for (const std::string& known : list) {
      if (value == known) {
        return;
      }
    }
    refuse("the setting ", name, " is ", convert::quote(value), ", expected one of ", convert::list_text(list));
  };
  one_of("task", s.task, {"auto", "classify", "regress", "tag", "answer"});
  one_of("train", s.train, {"all", "head", "gradual"});
  one_of("init", s.init, {"teacher", "scratch"});
  one_of("teacher_precision", s.teacher_precision, {"fp32", "int8"});
  check_range("epochs", s.epochs, 0.001, 1000);
  check_range("rate", s.rate, 0, 1);
  check_range("head_rate", s.head_rate, 0, 1);
  check_range("layer_decay", s.layer_decay, 0.01, 1);
  check_range("weight_decay", s.weight_decay, 0, 10);
  check_range("warmup", s.warmup, 0, 1);
  check_range("clip", s.clip, 0, 1e9);
  check_range("dropout", s.dropout.value_or(0), 0, 0.99);
  check_range("batch", s.batch, 1, 65536);
  check_range("max_length", s.max_length == 0 ? 8 : s.max_length, 8, 65536);
  check_range("evaluations", s.evaluations, 1, 1000);
  check_range("temperature", s.temperature, 0.01, 1000);
  check_range("replace", s.replace, 0, 1);
  check_range("augment", s.augment, 0, 100);
  check_range("threads", s.threads, 1, 1024);
  for (const double loss : {s.logit_loss, s.label_loss, s.hidden_loss, s.attention_loss}) {
    check_range("loss", loss, 0, 1e6);
  }
  if (s.teacher.empty()) {
    if (!s.student.empty() || !s.texts.empty()) {
      refuse("a student and texts without labels need a teacher");
    }
  } else if (s.logit_loss + s.label_loss + s.hidden_loss + s.attention_loss <= 0) {
    refuse("all losses are 0: there is nothing to learn from");
  }
  if (s.teacher_precision == "int8" && s.hidden_loss + s.attention_loss > 0) {
    refuse("a teacher in int8 gives logits only; hidden states and attention need fp32");
  }
  if (s.data.empty() && s.texts.empty()) {
    refuse("there is nothing to learn from, expected --data");
  }
}

std::string fingerprint(const Settings& settings) {
  Json json = to_json(settings);
  for_fields(settings, [&](const char* name, const auto&, bool counts) {
    if (!counts) {
      json.erase(name);
    }
  });
  return json.dump();
}

}  // namespace kinglet::train
