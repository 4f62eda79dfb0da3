// kinglet fill-mask: the best tokens for the masks of texts, as the fill-mask pipeline of transformers finds them.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/task.h"
#include "cli/text.h"

namespace kinglet::cli {

namespace {

class FillMaskCommand : public TaskCommand {
 public:
  const char* name() const override { return "fill-mask"; }
  const char* summary() const override { return "Predict masked tokens"; }
  const char* manual() const override {
    return "Predicts the tokens that stand behind the masks of each text ([MASK], or <mask>: whatever the model's own\n"
           "tokenizer calls it): the tokens and scores of the fill-mask pipeline of transformers 4.57.3. Tokens are\n"
           "pieces of the vocabulary.\n"
           "\n"
           "Texts are the arguments or, without any, the lines of standard input; with --pair they come in pairs; "
           "with\n"
           "--jsonl each line is {\"text\":…}, {\"text\":…,\"pair\":…} or {\"ids\":[…],\"type_ids\":[…]} (special "
           "tokens\n"
           "included).\n"
           "\n"
           "Output: score and token of the best predictions, mask by mask; an empty line after each text. With "
           "--json:\n"
           "  {\"masks\":[[{\"token\":\"paris\",\"id\":3000,\"score\":0.5},…]]}\n"
           "one list per mask. \"truncated\":true where the text was cut to the limit.\n"
           "\n"
           "Examples:\n"
           "  kinglet fill-mask m.kgl \"The capital of France is [MASK].\"\n"
           "  kinglet fill-mask m.kgl \"[MASK] is [MASK]\" --top-k 3 --json";
  }

 protected:
  const char* top_k_help() const override { return "Show the N best tokens of each mask (default 5)"; }

  void prepare(const Model&, SessionOptions& options) override {
    wanted_ = top_k() != 0 ? top_k() : kDefaultTopK;
    options.top_k = wanted_;
  }

  Result<void> answer(Session& session, const std::vector<const Request*>& requests,
                      std::vector<uint8_t>& truncated) override {
    std::vector<Input> inputs;
    for (const Request* request : requests) {
      inputs.push_back(to_input(*request));
    }
    if (Result<void> result = session.fill_mask(inputs.data(), inputs.size(), wanted_, truncated.data()); !result) {
      return result;
    }
    masks_.assign(requests.size(), {});
    for (size_t i = 0; i < requests.size(); ++i) {
      const Result<size_t> count = session.masks(i);
      for (size_t mask = 0; count && mask < *count; ++mask) {
        const Result<View<Prediction>> predictions = session.predictions(i, mask);
        if (!predictions) {
          return predictions.error();
        }
        masks_[i].push_back(*predictions);
      }
    }
    return {};
  }

  void append_fields(size_t i, std::string& out) override {
    out += "\"masks\":[";
    for (size_t mask = 0; mask < masks_[i].size(); ++mask) {
      out += mask > 0 ? ",[" : "[";
      for (const Prediction& prediction : masks_[i][mask]) {
        out += out.back() == '[' ? "{\"token\":" : ",{\"token\":";
        append_json(out, model().token_text(prediction.id));
        out += format(",\"id\":%d,\"score\":", prediction.id);
        append_json(out, prediction.score);
        out += '}';
      }
      out += ']';
    }
    out += ']';
  }

  void append_text(size_t i, const Request&, bool truncated, std::string& out) override {
    for (size_t mask = 0; mask < masks_[i].size(); ++mask) {
      for (const Prediction& prediction : masks_[i][mask]) {
        out += (masks_[i].size() > 1 ? format("mask %zu  ", mask + 1) : std::string()) +
               format("%.4f  ", static_cast<double>(prediction.score)) +
               shorten(model().token_text(prediction.id), 60) + "\n";
      }
    }
    out += truncated ? "(cut)\n\n" : "\n";
  }

 private:
  static constexpr uint32_t kDefaultTopK = 5;

  uint32_t wanted_ = kDefaultTopK;
  std::vector<std::vector<View<Prediction>>> masks_;  // of the last answer
};

}  // namespace

std::unique_ptr<Command> make_fill_mask_command() {
  return std::make_unique<FillMaskCommand>();
}

}  // namespace kinglet::cli
