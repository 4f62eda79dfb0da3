// Heads and tasks.
#include "families/heads.h"

#include <algorithm>

#include "base/text.h"
#include "families/config.h"

namespace kinglet::convert {

namespace {

struct TaskName {
  const char* name;
  fmt::Task task;
};

constexpr TaskName kTasks[] = {
    {"embed", fmt::Task::embed},   {"classify", fmt::Task::classify},   {"tag", fmt::Task::tag},
    {"answer", fmt::Task::answer}, {"fill-mask", fmt::Task::fill_mask},
};

struct HeadName {
  const char* name;  // behind the family's
  Head head;
  std::vector<fmt::Task> tasks;  // the first is the natural one; embed leaves the head out
};

const std::vector<HeadName>& head_names() {
  using fmt::Task;
  static const std::vector<HeadName> names = {
      {"Model", Head::encoder, {Task::embed}},
      {"ForMaskedLM", Head::masked_lm, {Task::fill_mask, Task::embed}},
      {"ForPreTraining", Head::pretraining, {Task::fill_mask, Task::classify, Task::embed}},
      {"ForNextSentencePrediction", Head::next_sentence, {Task::classify, Task::embed}},
      {"ForSequenceClassification", Head::sequence, {Task::classify, Task::embed}},
      {"ForTokenClassification", Head::token, {Task::tag, Task::embed}},
      {"ForQuestionAnswering", Head::question, {Task::answer, Task::embed}},
      {"ForPreTraining", Head::replaced_tokens, {Task::none, Task::embed}},
  };
  return names;
}

const HeadName& name_of(Head head) {
  return *std::find_if(head_names().begin(), head_names().end(),
                       [head](const HeadName& entry) { return entry.head == head; });
}

Head parse_architecture(const JsonObject& config, const std::string& architecture, const std::string& family,
                        const std::set<Head>& heads) {
  std::vector<std::string> known;
  for (const HeadName& entry : head_names()) {
    if (heads.count(entry.head) == 0) {
      continue;
    }
    if (architecture == family + entry.name) {
      return entry.head;
    }
    known.push_back(family + entry.name);
  }
  refuse(config.name(), ": the architecture ", quote(architecture), " is not supported; known: ", list_text(known));
}

}  // namespace

const std::set<Head> kBertHeads = {Head::encoder,  Head::masked_lm, Head::pretraining, Head::next_sentence,
                                   Head::sequence, Head::token,     Head::question};

fmt::Task parse_task(const std::string& name) {
  std::vector<std::string> known;
  for (const TaskName& entry : kTasks) {
    if (name == entry.name) {
      return entry.task;
    }
    known.push_back(entry.name);
  }
  refuse("the task ", quote(name), " is not known; known: ", list_text(known));
}

const char* task_name(fmt::Task task) {
  for (const TaskName& entry : kTasks) {
    if (task == entry.task) {
      return entry.name;
    }
  }
  return "none";
}

fmt::Task natural_task(Head head) {
  return name_of(head).tasks.front();
}

Head choose_head(const BuildRequest& request, const std::string& family, Head guess, const std::set<Head>& heads) {
  if (request.encoder_only) {
    if (request.task.value_or(fmt::Task::embed) != fmt::Task::embed) {
      refuse(request.source, ": is a sentence-transformers model, which does embed, not ", task_name(*request.task));
    }
    return Head::encoder;
  }
  const std::string architecture = read_architecture(request.config);
  const Head head = architecture.empty() ? guess : parse_architecture(request.config, architecture, family, heads);
  if (!request.task) {
    return head;
  }
  const HeadName& name = name_of(head);
  if (std::find(name.tasks.begin(), name.tasks.end(), *request.task) == name.tasks.end()) {
    std::vector<std::string> possible;
    for (const fmt::Task task : name.tasks) {
      possible.push_back(task_name(task));
    }
    refuse(request.source, ": holds a ", family, name.name, ", which does ", list_text(possible), ", not ",
           task_name(*request.task));
  }
  return *request.task == fmt::Task::embed ? Head::encoder : head;
}

}  // namespace kinglet::convert
