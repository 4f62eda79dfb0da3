// The commands that answer texts: where the texts come from, batches, errors in their place, output in input order.
#include "cli/task.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "cli/stream.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

constexpr uint32_t kMostThreads = 1024;
constexpr uint32_t kMostBatch = 65536;
constexpr uint32_t kMostLength = 1u << 30;
constexpr uint32_t kThreadedBatch = 8;  // default with several threads: enough rows to share among them

// Errors that are the process's and not the input's: nothing more can be answered.
bool is_fatal(kinglet_status status) {
  return status == KINGLET_IO_ERROR || status == KINGLET_OUT_OF_MEMORY || status == KINGLET_WRONG_TASK ||
         status == KINGLET_UNSUPPORTED || status == KINGLET_BAD_MODEL;
}

// The API counts the inputs of a call ("input 3: …"); here the line says which one it was.
std::string without_index(const std::string& message) {
  const size_t digits = std::strlen("input ");
  const size_t end = message.find_first_not_of("0123456789", digits);
  const bool counted = message.compare(0, digits, "input ") == 0 && end != std::string::npos && end > digits &&
                       message.compare(end, 2, ": ") == 0;
  return counted ? message.substr(end + 2) : message;
}

std::string with_path(const std::string& path, const std::string& message) {
  return message.find(path) != std::string::npos ? message : path + ": " + message;
}

}  // namespace

Model open_model(const std::string& path) {
  Result<Model> model = Model::open(path);
  if (!model) {
    throw InputError(with_path(path, model.error().message()));
  }
  return *std::move(model);
}

Session create_session(const Model& model, const SessionOptions& options, const std::string& path) {
  Result<Session> session = Session::create(model, options);
  if (session) {
    return *std::move(session);
  }
  if (session.status() == KINGLET_INVALID_ARGUMENT) {
    throw UsageError(session.error().message());
  }
  throw InputError(with_path(path, session.error().message()));
}

void check_max_length(const Model& model, uint32_t max_length) {
  const uint32_t limit = model.info().max_length;
  if (max_length > limit) {
    throw UsageError(format("--max-length: %u is above this model's limit of %u tokens", max_length, limit));
  }
}

void check_prompt(const Model& model, const std::string& prompt) {
  std::string known;
  for (uint32_t i = 0; i < model.info().prompt_count; ++i) {
    const std::string name(model.prompt_name(i));
    if (name == prompt) {
      return;
    }
    known += (known.empty() ? "" : ", ") + name;
  }
  throw UsageError("--prompt: this model has no prompt \"" + prompt + "\"; it has " +
                   (known.empty() ? "none" : known));
}

std::string label_name(const Model& model, uint32_t index) {
  const std::string name(model.label(index));
  return name.empty() ? format("LABEL_%u", index) : name;
}

Input to_input(const Request& request) {
  if (request.fields & kFieldIds) {
    static constexpr int32_t kNothing = 0;  // an empty list is still a list
    const bool typed = (request.fields & kFieldTypeIds) != 0 && !request.type_ids.empty();
    return ids_input(request.ids.empty() ? &kNothing : request.ids.data(), request.ids.size(),
                     typed ? request.type_ids.data() : nullptr);
  }
  return (request.fields & kFieldPair) ? pair_input(request.text, request.pair) : text_input(request.text);
}

Result<void> check_finite(const float* values, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(values[i])) {
      return Error(KINGLET_NON_FINITE, "the model's output is not a finite number");
    }
  }
  return {};
}

// Requests one after the other, from the arguments or from standard input.
class TaskCommand::Source {
 public:
  Source(std::vector<std::string> texts, bool pairs, bool queries, bool jsonl, unsigned fields)
      : texts_(std::move(texts)),
        pairs_(pairs),
        queries_(queries),
        jsonl_(jsonl),
        fields_(fields),
        from_arguments_(!texts_.empty()) {}

  bool from_arguments() const { return from_arguments_; }
  // Of arguments, before the first is read.
  size_t known_count() const { return queries_ ? 1 : texts_.size() / (pairs_ ? 2 : 1); }

  bool next(Item* item) {
    *item = Item();
    ++count_;
    return from_arguments_ ? next_argument(item) : next_line(item);
  }
  // See LineReader::ready.
  bool ready() { return from_arguments_ || lines_.ready(); }

 private:
  bool next_argument(Item* item) {
    if (at_ >= texts_.size()) {
      return false;
    }
    item->where = queries_ ? std::string("the query") : format("text %zu", count_);
    item->request.fields = kFieldText;
    item->request.text = std::move(texts_[at_++]);
    if (pairs_) {
      item->request.fields |= kFieldPair;
      item->request.pair = std::move(texts_[at_++]);
    }
    while (queries_ && at_ < texts_.size()) {
      item->request.texts.push_back(std::move(texts_[at_++]));
    }
    return true;
  }

  bool next_line(Item* item) {
    if (!lines_.next(&line_)) {
      return false;
    }
    item->where = format("standard input, line %zu", count_);
    if (jsonl_) {
      std::string_view line = line_;
      if (count_ == 1 && line.substr(0, 3) == "\xef\xbb\xbf") {
        line.remove_prefix(3);  // a byte-order mark is no JSON
      }
      if (parse_request(line, fields_, &item->request, &item->error) && pairs_ &&
          !(item->request.fields & kFieldPair)) {
        item->error = "the object has no \"pair\"";
      }
      return true;
    }
    item->request.fields = kFieldText;
    if (queries_) {
      split_query(item);
      return true;
    }
    if (!pairs_) {
      item->request.text = std::move(line_);
      return true;
    }
    const size_t tab = line_.find('\t');
    if (tab == std::string::npos || line_.find('\t', tab + 1) != std::string::npos) {
      item->error = tab == std::string::npos ? "no TAB in the line" : "more than one TAB in the line";
      item->error += "; expected two texts with a TAB between them";
      return true;
    }
    item->request.fields |= kFieldPair;
    item->request.text = line_.substr(0, tab);
    item->request.pair = line_.substr(tab + 1);
    return true;
  }

  // "query TAB text TAB text…"
  void split_query(Item* item) {
    size_t tab = line_.find('\t');
    item->request.text = line_.substr(0, tab);
    if (tab == std::string::npos) {
      item->error = "no TAB in the line; expected a query and texts with TABs between them";
    }
    while (tab != std::string::npos) {
      const size_t next = line_.find('\t', tab + 1);
      item->request.texts.push_back(line_.substr(tab + 1, next == std::string::npos ? next : next - tab - 1));
      tab = next;
    }
  }

  std::vector<std::string> texts_;
  bool pairs_, queries_, jsonl_;
  unsigned fields_;
  bool from_arguments_;
  size_t at_ = 0;
  size_t count_ = 0;
  LineReader lines_;
  std::string line_;
};

void TaskCommand::add_options(CLI::App& app) {
  app.add_flag("--json", json_, "Print one JSON object per input");
  app.add_flag("--jsonl", jsonl_, "Each line of standard input is a JSON object (see above)");
  if (pairs() == Pairs::kOnDemand) {
    app.add_flag("--pair", pair_, "Texts come in pairs: two arguments, or a line with a TAB between them");
  }
  add_number(app, "--max-length", &max_length_, kMostLength,
             limits_length() ? "Cut texts to N tokens, special tokens included (default and most: the model's limit)"
                             : "Cut texts to N tokens, special tokens included (default: cut nothing)");
  add_number(app, "--threads", &threads_, kMostThreads, "Compute with N threads (default 1)");
  add_number(app, "--batch", &batch_, kMostBatch,
             "Compute up to N inputs together (default 1, with several threads 8); never changes an answer");
  add_number(app, "--top-k", &top_k_, kMostLength, top_k_help());
  add_own_options(app);
}

int TaskCommand::run(const std::vector<std::string>& arguments) {
  check_arguments(*this, arguments, 1, SIZE_MAX);
  std::vector<std::string> texts(arguments.begin() + 1, arguments.end());
  const bool pairs_here = pair_ || pairs() == Pairs::kAlways;
  if (jsonl_ && !texts.empty()) {
    throw UsageError("--jsonl reads standard input; expected no texts as arguments");
  }
  const bool queries = pairs() == Pairs::kQuery;
  if (queries && texts.size() == 1) {
    throw UsageError("a query without texts; expected QUERY TEXT…");
  }
  if (pairs_here && texts.size() % 2 != 0) {
    throw UsageError(format("%zu texts; expected pairs, that is an even number", texts.size()));
  }
  model_path_ = arguments[0];
  model_ = open_model(model_path_);
  if (limits_length()) {
    check_max_length(*model_, max_length_);
  }
  Source source(std::move(texts), pairs_here, queries, jsonl_, json_fields());

  SessionOptions options;
  options.threads = threads_;
  options.max_length = limits_length() ? max_length_ : 0;
  options.batch = batch_ != 0 ? batch_ : threads_ > 1 ? kThreadedBatch : 1;
  if (source.from_arguments() && !queries && source.known_count() < options.batch) {
    options.batch = static_cast<uint32_t>(source.known_count());
  }
  prepare(*model_, options);
  Session session = create_session(*model_, options, model_path_);

  if (!source.from_arguments() && ::isatty(STDIN_FILENO)) {
    std::fputs(jsonl_ ? "kinglet: reading JSON objects, one per line; Ctrl-D ends\n"
                      : "kinglet: reading texts, one per line; Ctrl-D ends\n",
               stderr);
  }
  std::vector<Item> items;
  Item item;
  bool more = true;
  while (more) {
    items.clear();
    while (items.size() < options.batch && (items.empty() || source.ready()) && (more = source.next(&item))) {
      items.push_back(std::move(item));
    }
    process(session, items);
    if (!more || !source.ready()) {
      output().flush();  // whoever waits for these answers before writing on gets them
    }
  }
  return failed_ ? kExitBadInput : kExitGood;
}

void TaskCommand::process(Session& session, std::vector<Item>& items) {
  std::vector<const Request*> requests;
  for (const Item& item : items) {
    if (item.error.empty()) {
      requests.push_back(&item.request);
    }
  }
  std::vector<uint8_t> truncated(requests.size(), 0);
  Result<void> result;
  if (!requests.empty()) {
    result = answer(session, requests, truncated);
  }
  const bool together = result.ok();
  size_t index = 0;
  for (Item& item : items) {
    if (!item.error.empty()) {
      emit_error(item);
    } else if (together) {
      emit(item, index, truncated[index] != 0);
      ++index;
    } else {
      // One of them spoilt the batch: each for itself, so that it alone gets the error.
      std::vector<uint8_t> cut(1, 0);
      const Result<void> single = requests.size() == 1 ? result : answer(session, {&item.request}, cut);
      if (single) {
        emit(item, 0, cut[0] != 0);
        continue;
      }
      if (is_fatal(single.status())) {
        output().flush();
        throw InputError(with_path(model_path_, single.error().message()));
      }
      item.error = without_index(single.error().message());
      emit_error(item);
    }
  }
}

void TaskCommand::emit(const Item& item, size_t index, bool truncated) {
  std::string out;
  if (json_) {
    out += '{';
    append_fields(index, out);
    out += truncated ? ",\"truncated\":true}\n" : "}\n";
  } else {
    append_text(index, item.request, truncated, out);
  }
  output().write(out);
}

void TaskCommand::emit_error(const Item& item) {
  failed_ = true;
  const std::string message = item.where + ": " + item.error;
  std::string out;
  if (json_) {
    out += "{\"error\":";
    append_json(out, message);
    out += "}\n";
  } else {
    out = "error: " + shorten(message, SIZE_MAX) + "\n";  // so that line n still answers input n
  }
  output().write(out);
  report_error(message);
}

}  // namespace kinglet::cli
