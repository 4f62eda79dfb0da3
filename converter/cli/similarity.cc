// kinglet similarity: the cosine of the embeddings of two texts.
#include <CLI/CLI.hpp>

#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class SimilarityCommand : public TaskCommand {
 public:
  const char* name() const override { return "similarity"; }
  const char* summary() const override { return "Compare pairs of texts"; }
  const char* arguments() const override { return "M.kgl [A B]…"; }
  const char* manual() const override {
    return "Embeds both texts of each pair and prints the cosine of the two vectors, from -1 to 1.\n"
           "\n"
           "Pairs are two arguments each or, without any, the lines of standard input with a TAB between the two\n"
           "texts; with --jsonl each line is {\"text\":…,\"pair\":…}.\n"
           "\n"
           "Output: the cosine and the two texts. With --json: {\"similarity\":0.73}, with \"truncated\":true where\n"
           "either text was cut to the limit.\n"
           "\n"
           "Examples:\n"
           "  kinglet similarity m.kgl \"a wren sings\" \"a small bird makes music\"\n"
           "  cut -f2,3 pairs.tsv | kinglet similarity m.kgl --json";
  }

 protected:
  unsigned json_fields() const override { return kFieldText | kFieldPair; }
  Pairs pairs() const override { return Pairs::kAlways; }

  void add_own_options(CLI::App& app) override {
    app.add_option("--prompt", prompt_, "Put the model's prompt of this name before every text")->type_name("NAME");
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
      inputs.push_back(text_input(request->text));
      inputs.push_back(text_input(request->pair));
    }
    const size_t size = session.info().embedding_size;
    std::vector<float> embeddings(inputs.size() * size);
    std::vector<uint8_t> cut(inputs.size(), 0);
    if (Result<void> result = session.embed(inputs.data(), inputs.size(), embeddings.data(), cut.data()); !result) {
      return result;
    }
    similarities_.clear();
    for (size_t i = 0; i < requests.size(); ++i) {
      const float* first = embeddings.data() + 2 * i * size;
      similarities_.push_back(cosine(first, first + size, size));
      truncated[i] = cut[2 * i] | cut[2 * i + 1];
    }
    return check_finite(similarities_.data(), similarities_.size());
  }

  void append_fields(size_t i, std::string& out) override {
    out += "\"similarity\":";
    append_json(out, similarities_[i]);
  }

  void append_text(size_t i, const Request& request, bool, std::string& out) override {
    out += format("%.4f", static_cast<double>(similarities_[i])) + "\t" + shorten(request.text, 50) + "\t" +
           shorten(request.pair, 50) + "\n";
  }

 private:
  std::optional<std::string> prompt_;
  std::vector<float> similarities_;  // of the last answer
};

}  // namespace

std::unique_ptr<Command> make_similarity_command() { return std::make_unique<SimilarityCommand>(); }

}  // namespace kinglet::cli
