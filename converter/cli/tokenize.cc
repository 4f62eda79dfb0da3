// kinglet tokenize: texts to token ids, pieces and offsets.
#include <CLI/CLI.hpp>

#include "cli/spans.h"
#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class TokenizeCommand : public TaskCommand {
 public:
  const char* name() const override { return "tokenize"; }
  const char* summary() const override { return "Show the tokens of texts"; }
  const char* manual() const override {
    return "Turns each text into the tokens that the model would see, special tokens included. Ids, type ids and\n"
           "offsets are those of the model's own Hugging Face tokenizer. Nothing is cut unless --max-length says so.\n"
           "\n"
           "Texts are the arguments or, without any, the lines of standard input; with --jsonl each line is\n"
           "{\"text\":…} or {\"text\":…,\"pair\":…}. A text that begins with - goes behind --.\n"
           "\n"
           "Output: a line per token: id, type id, begin-end, token; an empty line after each text. Template tokens\n"
           "have no offsets and show -. With --json:\n"
           "  {\"ids\":[…],\"type_ids\":[…],\"tokens\":[…],\"offsets\":[[begin,end] or null,…]}\n"
           "and \"truncated\":true where --max-length cut the text. For the second text of a pair offsets count from\n"
           "its own start.\n"
           "\n"
           "Examples:\n"
           "  kinglet tokenize m.kgl \"A small bird.\"\n"
           "  kinglet tokenize m.kgl --json --offsets utf16 < texts.txt";
  }

 protected:
  unsigned json_fields() const override { return kFieldText | kFieldPair; }
  bool limits_length() const override { return false; }

  void add_own_options(CLI::App& app) override {
    add_offsets_option(app, &unit_);
  }

  void prepare(const Model& model, SessionOptions& options) override {
    if (!model.info().has_tokenizer) {
      throw InputError("the model has no tokenizer");
    }
    options.offset_unit = offset_unit(unit_);
  }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    tokens_.clear();
    for (size_t i = 0; i < requests.size(); ++i) {
      Result<Tokens> tokens = session.tokenize(to_input(*requests[i]), max_length());
      if (!tokens) {
        return tokens.error();
      }
      truncated[i] = tokens->truncated ? 1 : 0;
      tokens_.push_back(*std::move(tokens));
    }
    return {};
  }

  void append_fields(size_t i, std::string& out) override {
    const Tokens& tokens = tokens_[i];
    const auto list = [&](const char* key, auto append_item) {
      out += std::string(out.back() == '{' ? "\"" : ",\"") + key + "\":[";
      for (size_t t = 0; t < tokens.ids.size(); ++t) {
        if (t > 0) {
          out += ',';
        }
        append_item(t);
      }
      out += ']';
    };
    list("ids", [&](size_t t) { out += std::to_string(tokens.ids[t]); });
    list("type_ids", [&](size_t t) { out += std::to_string(tokens.type_ids[t]); });
    list("tokens", [&](size_t t) { append_json(out, model().token(tokens.ids[t])); });
    list("offsets", [&](size_t t) {
      const Span span = tokens.offsets[t];
      out += span.begin == KINGLET_NO_OFFSET ? "null" : format("[%u,%u]", span.begin, span.end);
    });
  }

  void append_text(size_t i, const Request&, bool truncated, std::string& out) override {
    const Tokens& tokens = tokens_[i];
    for (size_t t = 0; t < tokens.ids.size(); ++t) {
      const Span span = tokens.offsets[t];
      const std::string place =
          span.begin == KINGLET_NO_OFFSET ? "-" : format("%u-%u", span.begin, span.end);
      out += format("%7d %2d %11s  ", tokens.ids[t], tokens.type_ids[t], place.c_str()) +
             shorten(model().token(tokens.ids[t]), 60) + "\n";
    }
    out += truncated ? "(cut)\n\n" : "\n";
  }

 private:
  std::string unit_ = "bytes";
  std::vector<Tokens> tokens_;
};

}  // namespace

std::unique_ptr<Command> make_tokenize_command() { return std::make_unique<TokenizeCommand>(); }

}  // namespace kinglet::cli
