// kinglet answer: answers to questions in contexts, as the question-answering pipeline of transformers finds them.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/spans.h"
#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class AnswerCommand : public TaskCommand {
 public:
  const char* name() const override { return "answer"; }
  const char* summary() const override { return "Find answers to questions in texts"; }
  const char* arguments() const override { return "M.kgl [QUESTION CONTEXT]…"; }
  const char* manual() const override {
    return "Finds the part of each context that answers the question: the answers of the question-answering pipeline\n"
           "of transformers 4.57.3. A context of any length is read in windows of --max-length tokens, of which each\n"
           "shares --stride tokens with the one before it. Answers begin and end with words, without surrounding\n"
           "spaces; equal texts, but for case, are one answer with the sum of their scores.\n"
           "\n"
           "Questions are two arguments each or, without any, the lines of standard input with a TAB between question\n"
           "and context; with --jsonl each line is {\"question\":…,\"context\":…}.\n"
           "\n"
           "Output: score, place and text of the best answers; an empty line after each question. With --json:\n"
           "  {\"answers\":[{\"text\":\"…\",\"begin\":10,\"end\":16,\"score\":0.9}]}\n"
           "begin and end count bytes of the context, or what --offsets says. With --no-answer the empty answer, from\n"
           "0 to 0, competes with the others.\n"
           "\n"
           "Examples:\n"
           "  kinglet answer qa.kgl \"Who wrote it?\" \"The notes were written by Ada Lovelace.\"\n"
           "  kinglet answer qa.kgl --jsonl --json --top-k 3 < questions.jsonl";
  }

 protected:
  unsigned json_fields() const override { return kFieldQuestion | kFieldContext; }
  Pairs pairs() const override { return Pairs::kAlways; }
  const char* top_k_help() const override { return "Show up to N answers (default 1)"; }

  void add_own_options(CLI::App& app) override {
    add_number(app, "--max-answer-len", &options_.max_answer_tokens, 1u << 30,
               "The most tokens of an answer (default 15)");
    add_number(app, "--stride", &options_.stride, 1u << 30,
               "Tokens that a window shares with the one before it (default 128, or half of a shorter window)");
    app.add_flag("--no-answer", no_answer_, "Let the empty answer compete");
    add_offsets_option(app, &unit_);
  }

  void prepare(const Model& model, SessionOptions& options) override {
    options.offset_unit = offset_unit(unit_);
    options.document_tokens = kDocumentTokens;
    options.max_length = max_length() != 0 ? max_length() : std::min(kDefaultWindow, model.info().max_length);
    options.top_k = std::max(top_k(), 1u);
    options_.top_k = options.top_k;
    options_.max_length = options.max_length;
    options_.no_answer = no_answer_ ? 1 : 0;
  }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>&) override {
    std::vector<Input> inputs;
    contexts_.clear();
    for (const Request* request : requests) {
      inputs.push_back(to_input(*request));
      contexts_.push_back(request->pair);
    }
    if (Result<void> result = session.answer(inputs.data(), inputs.size(), &options_); !result) {
      return result;
    }
    answers_.clear();
    for (size_t i = 0; i < requests.size(); ++i) {
      const Result<View<AnswerSpan>> answers = session.answers(i);
      if (!answers) {
        return answers.error();
      }
      answers_.push_back(*answers);
    }
    return {};
  }

  void append_fields(size_t i, std::string& out) override {
    Slicer slicer(contexts_[i], offset_unit(unit_));
    out += "\"answers\":[";
    for (const AnswerSpan& answer : answers_[i]) {
      out += out.back() == '[' ? "{\"text\":" : ",{\"text\":";
      append_json(out, slicer.slice(answer.span));
      out += format(",\"begin\":%u,\"end\":%u,\"score\":", answer.span.begin, answer.span.end);
      append_json(out, answer.score);
      out += '}';
    }
    out += ']';
  }

  void append_text(size_t i, const Request&, bool, std::string& out) override {
    Slicer slicer(contexts_[i], offset_unit(unit_));
    for (const AnswerSpan& answer : answers_[i]) {
      const std::string place = format("%u-%u", answer.span.begin, answer.span.end);
      const std::string text = shorten(slicer.slice(answer.span), 100);
      out += format("%.4f %11s  ", static_cast<double>(answer.score), place.c_str()) +
             (text.empty() ? "(no answer)" : text) + "\n";
    }
    out += '\n';
  }

 private:
  static constexpr uint32_t kDocumentTokens = 1u << 20;
  static constexpr uint32_t kDefaultWindow = 384;

  std::string unit_ = "bytes";
  bool no_answer_ = false;
  AnswerOptions options_ = KINGLET_ANSWER_OPTIONS_INIT;
  std::vector<std::string_view> contexts_;  // of the last answer
  std::vector<View<AnswerSpan>> answers_;
};

}  // namespace

std::unique_ptr<Command> make_answer_command() { return std::make_unique<AnswerCommand>(); }

}  // namespace kinglet::cli
