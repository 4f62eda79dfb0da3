// What a run does before its first step.
#include "train/prepare.h"

#include <algorithm>

#include "base/text.h"
#include "convert.h"
#include "eval/conll.h"
#include "eval/data.h"
#include "train/augment.h"
#include "train/student.h"
#include "train/transplant.h"
#include "writer/checkpoint_folder.h"

namespace kinglet::train {

namespace fs = std::filesystem;
using convert::refuse;

namespace {

std::vector<fs::path> paths_of(const std::vector<std::string>& names) {
  return {names.begin(), names.end()};
}

Kind parse_kind(const std::string& name) {
  return name == "classify"  ? Kind::classify
         : name == "regress" ? Kind::regress
         : name == "tag"     ? Kind::tag
                             : Kind::answer;
}

// Whether these labels say what each line of the data says.
bool labels_fit(Kind kind, const std::vector<fs::path>& paths, const std::vector<std::string>& labels) {
  try {
    for (const fs::path& path : paths) {
      if (kind == Kind::tag) {
        for (const eval::Sentence& sentence : eval::read_conll(path)) {
          for (const std::string& tag : sentence.tags) {
            if (std::find(labels.begin(), labels.end(), tag) == labels.end()) {
              return false;
            }
          }
        }
      } else {
        const eval::DataSet data = eval::read_tsv(path);
        for (const eval::Example& example : data.examples) {
          eval::label_index(data, example, labels);
        }
      }
    }
  } catch (const convert::Error&) {
    return false;  // reading it later says what is wrong
  }
  return true;
}

// What the source does already, where training knows it.
std::optional<Goal> goal_of_source(const convert::ModelIR& model, const std::string& source) {
  try {
    return goal_of(model, source);
  } catch (const convert::Error&) {
    return std::nullopt;
  }
}

struct Wanted {
  Goal goal;
  bool keep_head = false;
};

Wanted choose_goal(const Settings& settings) {
  const Kind kind = settings.task == "auto" ? kind_of_data(settings.data.front()) : parse_kind(settings.task);
  const convert::ModelIR source = load_model(settings.source);
  const std::optional<Goal> own = goal_of_source(source, settings.source);
  Wanted wanted = {{kind, settings.labels}, false};
  if (kind == Kind::regress || kind == Kind::answer) {
    if (!settings.labels.empty()) {
      refuse("labels go with classification and tagging");
    }
    wanted.keep_head = own && own->kind == kind;
    return wanted;
  }
  const std::vector<fs::path> data = paths_of(settings.data);
  if (wanted.goal.labels.empty()) {
    const bool fits = own && own->kind == kind && labels_fit(kind, data, own->labels);
    wanted.goal.labels = fits ? own->labels : labels_of_data(kind, data);
  }
  wanted.keep_head = own && own->kind == kind && own->labels == wanted.goal.labels;
  return wanted;
}

void make_start(const Settings& settings, const Workspace& workspace, const std::optional<convert::ModelIR>& teacher) {
  const fs::path start = workspace.path("start");
  if (settings.student.empty()) {
    Wanted wanted;
    if (teacher) {
      wanted.goal = goal_of(*teacher, settings.teacher);
      const std::optional<Goal> own = goal_of_source(load_model(settings.source), settings.source);
      wanted.keep_head = own && own->kind == wanted.goal.kind && own->labels == wanted.goal.labels;
    } else {
      wanted = choose_goal(settings);
    }
    write_checkpoint_folder(start_from(settings.source, wanted.goal, wanted.keep_head, settings.seed), start);
    return;
  }
  const Goal goal = goal_of(*teacher, settings.teacher);
  const StudentShape shape = complete_shape(parse_student(settings.student), *teacher);
  convert::CheckpointFolder folder = start_student(settings.teacher, *teacher, goal, shape, settings.seed);
  if (settings.init == "teacher") {
    const fs::path blank = workspace.path("blank");
    write_checkpoint_folder(folder, blank);
    const convert::ModelIR model = load_model(blank);
    const auto numbers = transplant(model, *teacher);
    for (convert::Tensor& tensor : folder.tensors) {
      for (const auto& [name, values] : numbers) {
        if (tensor.name == full_name(model.architecture, name)) {
          tensor.source = convert::memory_source(values, tensor.shape.back());
        }
      }
    }
    fs::remove_all(blank);
  }
  write_checkpoint_folder(folder, start);
}

}  // namespace

Prepared prepare(const Settings& settings, const Workspace& workspace,
                 const std::function<void(const std::string& line)>& say) {
  Prepared prepared;
  if (!settings.teacher.empty()) {
    prepared.teacher = load_model(settings.teacher);
    check_trainable(*prepared.teacher, settings.teacher);
  }
  const fs::path start = workspace.path("start"), tokenizer = workspace.path("tokenizer.kgl");
  std::error_code ignored;
  if (!fs::exists(start, ignored)) {
    say("preparing the checkpoint to start from");
    make_start(settings, workspace, prepared.teacher);
  }
  prepared.model = load_model(start);
  prepared.goal = goal_of(prepared.model, start.string());
  if (prepared.teacher && prepared.teacher->vocabulary != prepared.model.vocabulary) {
    refuse(settings.teacher, ": has ", prepared.teacher->vocabulary, " tokens, but the student has ",
           prepared.model.vocabulary, "; expected models with the same tokenizer (prune the vocabulary afterwards)");
  }
  if (!fs::exists(tokenizer, ignored)) {
    convert::ConvertOptions options;
    options.source = start;
    options.output = tokenizer;
    options.precision = "fp32";
    convert::convert(options);
  }
  say("reading the data");
  prepared.max_length = std::min(settings.max_length != 0             ? settings.max_length
                                 : prepared.goal.kind == Kind::answer ? 384u
                                                                      : 128u,
                                 prepared.model.max_length);
  if (prepared.teacher) {
    prepared.max_length = std::min(prepared.max_length, prepared.teacher->max_length);
  }
  Reader reader(tokenizer, prepared.max_length);
  for (const std::string& path : settings.data) {
    reader.read(prepared.goal.kind, path, prepared.goal.labels, &prepared.data);
  }
  for (const std::string& path : settings.texts) {
    reader.read_texts(path, &prepared.data);
  }
  if (prepared.data.examples.empty()) {
    refuse("the data has no text that could be learnt from");
  }
  if (settings.augment > 0) {
    if (!prepared.teacher) {
      refuse("texts with replaced words need a teacher to judge them");
    }
    say("looking for words to replace others with");
    augment(*prepared.teacher, reader.model(), {settings.augment, settings.replace, settings.seed}, &prepared.data);
  }
  return prepared;
}

}  // namespace kinglet::train
