// kinglet embed: texts to vectors.
#include <CLI/CLI.hpp>

#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class EmbedCommand : public TaskCommand {
 public:
  const char* name() const override { return "embed"; }
  const char* summary() const override { return "Turn texts into vectors"; }
  const char* manual() const override {
    return "Prints the embedding of each text, pooled and normalised as the model says.\n"
           "\n"
           "Texts are the arguments or, without any, the lines of standard input; with --jsonl each line is\n"
           "{\"text\":…}, {\"text\":…,\"pair\":…} or {\"ids\":[…],\"type_ids\":[…]} (special tokens included).\n"
           "\n"
           "Output: the numbers with spaces between them, a line per text. With --json: {\"embedding\":[…]}, with\n"
           "\"truncated\":true where the text was cut to the limit.\n"
           "\n"
           "Examples:\n"
           "  kinglet embed m.kgl \"A small bird.\"\n"
           "  kinglet embed m.kgl --json --threads 2 < texts.txt > embeddings.jsonl\n"
           "  kinglet embed m.kgl --prompt query \"which birds are small?\"";
  }

 protected:
  void add_own_options(CLI::App& app) override {
    app.add_option("--prompt", prompt_, "Put the model's prompt of this name (query, passage, …) before every text")
        ->type_name("NAME");
  }

  void prepare(const Model& model, SessionOptions& options) override {
    if (prompt_) {
      check_prompt(model, *prompt_);
      options.prompt = prompt_->c_str();
    }
  }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    std::vector<Input> inputs;
    for (const Request* request : requests) {
      inputs.push_back(to_input(*request));
    }
    size_ = session.info().embedding_size;
    embeddings_.resize(inputs.size() * size_);
    if (Result<void> result = session.embed(inputs.data(), inputs.size(), embeddings_.data(), truncated.data());
        !result) {
      return result;
    }
    return check_finite(embeddings_.data(), embeddings_.size());
  }

  void append_fields(size_t i, std::string& out) override {
    out += "\"embedding\":[";
    append_numbers(i, ',', out);
    out += ']';
  }

  void append_text(size_t i, const Request&, bool, std::string& out) override {
    append_numbers(i, ' ', out);
    out += '\n';
  }

 private:
  void append_numbers(size_t i, char separator, std::string& out) {
    for (size_t n = 0; n < size_; ++n) {
      if (n > 0) {
        out += separator;
      }
      append_json(out, embeddings_[i * size_ + n]);
    }
  }

  std::optional<std::string> prompt_;
  size_t size_ = 0;
  std::vector<float> embeddings_;  // of the last answer
};

}  // namespace

std::unique_ptr<Command> make_embed_command() { return std::make_unique<EmbedCommand>(); }

}  // namespace kinglet::cli
